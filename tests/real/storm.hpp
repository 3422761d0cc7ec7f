// Messages whose contents tell where they come from, and storms of them over any transport.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "core/base/hash.hpp"
#include "tests/real/ranks.hpp"

namespace lockstep::real {

using Bytes = std::vector<std::byte>;

/// Contents that tell sender, receiver, tag, place in the sequence and position apart.
inline void fill(Bytes& bytes, std::uint64_t seed) {
  std::uint64_t word = mix64(seed);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % 8 == 0) word = mix64(seed + i);
    bytes[i] = static_cast<std::byte>(word >> (8 * (i % 8)));
  }
}

inline Bytes filled(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  fill(bytes, seed);
  return bytes;
}

using TransportMaker = std::function<std::unique_ptr<Transport>(Control&)>;

struct StormMessage {
  int from, to;
  std::uint64_t tag;
  std::size_t size;
  std::uint64_t seed;
};

/// Random messages between all ranks; every rank posts its receives in an order of its own, some of them late.
inline void storm(int ranks, std::uint64_t seed, const TransportMaker& make, std::size_t largest, int messages) {
  SCOPED_TRACE(fmt::format("{} ranks, seed {}", ranks, seed));
  run_ranks(ranks, [=](Control& control) {
    std::mt19937_64 random(seed);
    std::vector<StormMessage> all;
    for (int i = 0; i < messages; ++i) {
      StormMessage message{};
      message.from = static_cast<int>(random() % static_cast<unsigned>(ranks));
      message.to = (message.from + 1 + static_cast<int>(random() % static_cast<unsigned>(ranks - 1))) % ranks;
      message.tag = random() % 4;
      const auto scale = random() % 4;
      message.size = scale == 0   ? random() % 3
                     : scale == 1 ? random() % 200
                                  : random() % (scale == 2 ? largest / 16 + 1 : largest + 1);
      message.seed = random();
      all.push_back(message);
    }
    std::vector<StormMessage> outgoing, incoming;
    for (const auto& message : all) {
      if (message.from == control.rank()) outgoing.push_back(message);
      if (message.to == control.rank()) incoming.push_back(message);
    }
    // Another order among tags and senders, the same within (sender, tag).
    std::mt19937_64 own(seed + static_cast<unsigned>(control.rank()) + 1);
    std::vector<StormMessage> shuffled;
    while (!incoming.empty()) {
      const auto& drawn = incoming[own() % incoming.size()];
      const auto first = std::find_if(incoming.begin(), incoming.end(),
                                      [&](const auto& m) { return m.from == drawn.from && m.tag == drawn.tag; });
      shuffled.push_back(*first);
      incoming.erase(first);
    }
    const auto made = make(control);
    Transport& transport = *made;
    std::vector<Bytes> sources(outgoing.size()), targets(shuffled.size());
    std::vector<int> finished(outgoing.size() + shuffled.size());
    std::size_t sent = 0, received = 0, open = 0;
    std::size_t open_receives = 0;
    std::vector<Completion> done;
    while (sent < outgoing.size() || received < shuffled.size() || open > 0) {
      // Sends first, now and then, so that many messages come unexpected; a receive is always posted before everything
      // waits.
      const bool more_sends = sent < outgoing.size();
      if (more_sends && (own() % 3 != 0)) {
        sources[sent] = filled(outgoing[sent].size, outgoing[sent].seed);
        transport.send(outgoing[sent].to, outgoing[sent].tag, sources[sent], sent);
        ++sent, ++open;
      }
      if (received < shuffled.size() && (own() % 3 == 0 || !more_sends)) {
        targets[received].resize(shuffled[received].size);
        transport.receive(shuffled[received].from, shuffled[received].tag, targets[received],
                          outgoing.size() + received, own() % 2 * 4096);
        ++received, ++open, ++open_receives;
      }
      const bool all_posted = sent == outgoing.size() && received == shuffled.size();
      if (open == 0) continue;
      done.clear();
      const bool came =
          transport.wait(done, WallClock::now() + (all_posted ? std::chrono::seconds(20) : std::chrono::seconds(0)));
      require(came || !all_posted, "nothing came for 20 s: {}", transport.outstanding());
      for (const auto& one : done) {
        if (one.kind == Completion::Kind::progress) continue;
        require(finished[one.token]++ == 0, "token {} came twice", one.token);
        --open;
        if (one.kind != Completion::Kind::received) continue;
        const auto& message = shuffled[one.token - outgoing.size()];
        require(one.bytes == message.size, "{} bytes instead of {}", one.bytes, message.size);
        require(targets[one.token - outgoing.size()] == filled(message.size, message.seed),
                "contents of a message of {} bytes from rank {}", message.size, message.from);
      }
    }
    require(transport.outstanding() == "nothing is outstanding", "{}", transport.outstanding());
    control.barrier();
    return std::string();
  });
}

}  // namespace lockstep::real
