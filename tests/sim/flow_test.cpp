// Question: are the rates max-min fair, the ends exact, and the work local?
#include "sim/network/flow.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "core/config/document.hpp"
#include "core/topology/routing.hpp"
#include "core/topology/topology.hpp"

namespace lockstep::sim {
namespace {

constexpr double second = 1e12;

struct Transfer {
  std::vector<ResourceId> route;
  double bits = 0;
  std::int64_t start = 0;
};

// Progressive filling as the textbook has it: raise all rates together, freeze those on a full resource, again.
std::vector<double> fair_rates(const std::vector<double>& capacity, const std::vector<const Transfer*>& flows) {
  std::vector<double> rate(flows.size(), 0);
  std::vector<bool> frozen(flows.size(), false);
  std::vector<double> used(capacity.size());
  std::vector<int> growing(capacity.size());
  for (;;) {
    std::fill(used.begin(), used.end(), 0.0);
    std::fill(growing.begin(), growing.end(), 0);
    for (std::size_t f = 0; f < flows.size(); ++f)
      for (const ResourceId r : flows[f]->route) {
        used[r] += rate[f];
        growing[r] += frozen[f] ? 0 : 1;
      }
    double step = -1;
    ResourceId tightest = 0;
    for (ResourceId r = 0; r < capacity.size(); ++r) {
      if (growing[r] == 0) continue;
      const double room = std::max(0.0, (capacity[r] - used[r]) / growing[r]);
      if (step < 0 || room < step) {
        step = room;
        tightest = r;
      }
    }
    if (step < 0) return rate;
    for (std::size_t f = 0; f < flows.size(); ++f) {
      if (!frozen[f]) rate[f] += step;
      if (std::count(flows[f]->route.begin(), flows[f]->route.end(), tightest) > 0) frozen[f] = true;
    }
  }
}

// Ends in picoseconds of a network without buckets, event by event; every event is at a whole picosecond.
std::vector<double> reference_ends(const std::vector<double>& capacity, const std::vector<Transfer>& transfers) {
  std::vector<double> left;
  for (const auto& t : transfers) left.push_back(t.bits);
  std::vector<double> end(transfers.size(), -1);
  double now = 0;
  for (;;) {
    std::vector<std::size_t> active;
    std::vector<const Transfer*> flows;
    double next = -1;
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      const auto start = static_cast<double>(transfers[i].start);
      if (end[i] >= 0) continue;
      if (start > now) {
        next = next < 0 ? start : std::min(next, start);
      } else {
        active.push_back(i);
        flows.push_back(&transfers[i]);
      }
    }
    if (active.empty() && next < 0) return end;
    const auto rate = fair_rates(capacity, flows);
    std::size_t first = transfers.size();
    for (std::size_t k = 0; k < active.size(); ++k) {
      const double at = std::round(now + left[active[k]] / rate[k] * second);
      if (next < 0 || at <= next) {
        next = at;
        first = active[k];
      }
    }
    for (std::size_t k = 0; k < active.size(); ++k) left[active[k]] -= rate[k] * (next - now) / second;
    now = next;
    if (first < transfers.size()) end[first] = now;
    for (const std::size_t i : active)
      if (end[i] < 0 && left[i] < 1e-6) end[i] = now;
  }
}

struct Played {
  std::vector<std::int64_t> ends;
  double worst_rate = 0;  // largest relative difference from the reference, over all moments
};

// The network with its ends obeyed; `order` is the order in which simultaneous transfers are started.
Played play(const std::vector<double>& capacity, const std::vector<double>& burst,
            const std::vector<Transfer>& transfers, const std::vector<std::size_t>& order, bool check_rates = false) {
  FlowNetwork network;
  for (std::size_t r = 0; r < capacity.size(); ++r) network.add_resource(capacity[r], burst.empty() ? 0 : burst[r]);
  std::vector<RouteId> routes;
  for (const auto& transfer : transfers) routes.push_back(network.add_route(transfer.route));
  Played played;
  played.ends.assign(transfers.size(), -1);
  std::map<std::size_t, FlowId> active;
  std::vector<std::size_t> waiting = order;
  while (!waiting.empty() || !active.empty()) {
    std::int64_t now = network.next();
    for (const std::size_t i : waiting) now = std::min(now, transfers[i].start);
    if (network.next() == now)
      for (const auto& due : network.take_due(now)) {
        EXPECT_TRUE(due.ended);
        played.ends[due.tag] = now;
        active.erase(due.tag);
      }
    std::vector<std::size_t> later;
    for (const std::size_t i : waiting) {
      if (transfers[i].start == now)
        active[i] = network.start(routes[i], transfers[i].bits, now, static_cast<std::uint32_t>(i));
      else
        later.push_back(i);
    }
    waiting = later;
    network.settle(now);
    EXPECT_EQ(network.active(), active.size());
    if (!check_rates) continue;
    std::vector<const Transfer*> flows;
    for (const auto& [i, flow] : active) flows.push_back(&transfers[i]);
    const auto expected = fair_rates(capacity, flows);
    std::size_t k = 0;
    for (const auto& [i, flow] : active)
      played.worst_rate = std::max(played.worst_rate, std::abs(network.rate(flow) / expected[k++] - 1));
    for (ResourceId r = 0; r < capacity.size(); ++r)
      EXPECT_LE(network.load(r), capacity[r]) << "no link carries more than its capacity, not even by rounding";
  }
  return played;
}

std::vector<std::size_t> in_order(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

struct Case {
  std::vector<double> capacity;
  std::vector<double> burst;
  std::vector<Transfer> transfers;
};

Case random_case(std::uint64_t seed, bool buckets) {
  std::mt19937_64 random(seed);
  const auto draw = [&](std::uint64_t most) { return random() % (most + 1); };
  Case c;
  const std::size_t links = 1 + draw(11);
  for (std::size_t r = 0; r < links; ++r) {
    c.capacity.push_back(1e6 * static_cast<double>(1 + draw(40)));
    c.burst.push_back(buckets && draw(5) > 0 ? 1e3 * static_cast<double>(1 + draw(60)) : 0);
  }
  const std::size_t count = 1 + draw(59);
  for (std::size_t f = 0; f < count; ++f) {
    Transfer t;
    std::vector<ResourceId> all(links);
    std::iota(all.begin(), all.end(), ResourceId{0});
    std::shuffle(all.begin(), all.end(), random);
    t.route.assign(all.begin(),
                   all.begin() + 1 + static_cast<std::ptrdiff_t>(draw(std::min<std::uint64_t>(3, links - 1))));
    t.bits = static_cast<double>(1 + draw(100'000));
    t.start = static_cast<std::int64_t>(draw(3) == 0 ? draw(10) * 1'000'000'000 : 0);
    c.transfers.push_back(t);
  }
  return c;
}

TEST(Flow, RatesAndEndsAreThoseOfProgressiveFilling) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Case c = random_case(seed, false);
    const auto expected = reference_ends(c.capacity, c.transfers);
    const Played played = play(c.capacity, {}, c.transfers, in_order(c.transfers.size()), true);
    ASSERT_LT(played.worst_rate, 1e-9) << "seed " << seed;
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(static_cast<double>(played.ends[i]), expected[i], 1.0) << "seed " << seed << ", flow " << i;
  }
}

// Up to 200 flows over the routes of a fat tree of 16 hosts whose links differ, started at any time.
TEST(Flow, OverFatTreesToo) {
  const Topology tree = read_topology(
      config::parse_text("generate: {fat_tree: {k: 4, link: {bandwidth: 10Gbps}}}\n", "t.yaml"), "t.yaml");
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    const auto draw = [&](std::uint64_t most) { return random() % (most + 1); };
    const Routing routing(tree, {seed});
    Case c;
    for (std::uint32_t r = 0; r < tree.resource_count(); ++r)
      c.capacity.push_back(1e9 * static_cast<double>(1 + draw(9)));
    const std::size_t count = 1 + draw(199);
    while (c.transfers.size() < count) {
      const auto from = static_cast<int>(draw(15));
      const auto to = static_cast<int>(draw(15));
      if (from == to) continue;
      Transfer t;
      for (const LinkId link : routing.route(tree.endpoint(from), tree.endpoint(to), draw(3)))
        t.route.push_back(tree.links[link].resource);
      t.bits = static_cast<double>(1 + draw(100'000'000));
      t.start = static_cast<std::int64_t>(draw(3) == 0 ? draw(50'000'000) * 1'000 : 0);
      c.transfers.push_back(t);
    }
    const auto expected = reference_ends(c.capacity, c.transfers);
    const Played played = play(c.capacity, {}, c.transfers, in_order(c.transfers.size()), true);
    ASSERT_LT(played.worst_rate, 1e-9) << "seed " << seed;
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(static_cast<double>(played.ends[i]), expected[i], std::max(1.0, expected[i] * 1e-9))
          << "seed " << seed << ", flow " << i;
  }
}

TEST(Flow, TheOrderOfInsertionDoesNotMatter) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Case c = random_case(seed, seed % 2 == 0);
    auto order = in_order(c.transfers.size());
    const auto plain = play(c.capacity, c.burst, c.transfers, order).ends;
    std::mt19937_64 random(seed);
    for (int turn = 0; turn < 3; ++turn) {
      std::shuffle(order.begin(), order.end(), random);
      ASSERT_EQ(play(c.capacity, c.burst, c.transfers, order).ends, plain) << "seed " << seed;
    }
  }
}

std::vector<std::uint32_t> ended_at(FlowNetwork& network, std::int64_t now) {
  std::vector<std::uint32_t> tags;
  if (network.next() == now)
    for (const auto& due : network.take_due(now)) tags.push_back(due.tag);
  std::sort(tags.begin(), tags.end());
  return tags;
}
using Tags = std::vector<std::uint32_t>;

TEST(Flow, TwoOnOneLinkGetHalfEach) {
  FlowNetwork network;
  const RouteId route = network.add_route(std::vector<ResourceId>{network.add_resource(1e9)});
  const FlowId a = network.start(route, 1e6, 0, 1);
  const FlowId b = network.start(route, 2e6, 0, 2);
  EXPECT_TRUE(network.needs_settling());
  network.settle(0);
  EXPECT_DOUBLE_EQ(network.rate(a), 5e8);
  EXPECT_DOUBLE_EQ(network.rate(b), 5e8);
  EXPECT_EQ(network.next(), 2'000'000'000);
  EXPECT_EQ(ended_at(network, 2'000'000'000), Tags{1});
  network.settle(2'000'000'000);
  EXPECT_DOUBLE_EQ(network.rate(b), 1e9);
  EXPECT_EQ(network.next(), 3'000'000'000);
  EXPECT_EQ(ended_at(network, 3'000'000'000), Tags{2});
  EXPECT_EQ(network.next(), FlowNetwork::never);
  EXPECT_EQ(network.active(), 0U);
}

TEST(Flow, AParkingLotSharesItsBottleneck) {
  // One flow over three links and one on each of them; the second link is the narrowest.
  FlowNetwork network;
  const std::vector<ResourceId> links{network.add_resource(10e6), network.add_resource(4e6), network.add_resource(8e6)};
  const FlowId along = network.start(network.add_route(links), 1e6, 0);
  std::vector<FlowId> across;
  for (const ResourceId link : links)
    across.push_back(network.start(network.add_route(std::vector<ResourceId>{link}), 1e6, 0));
  network.settle(0);
  EXPECT_DOUBLE_EQ(network.rate(along), 2e6);
  EXPECT_DOUBLE_EQ(network.rate(across[0]), 8e6);
  EXPECT_DOUBLE_EQ(network.rate(across[1]), 2e6);
  EXPECT_DOUBLE_EQ(network.rate(across[2]), 6e6);
  EXPECT_DOUBLE_EQ(network.load(links[1]), 4e6);
  network.set_capacity(links[1], 20e6, 1);
  network.settle(1);
  EXPECT_DOUBLE_EQ(network.rate(along), 4e6);
  EXPECT_DOUBLE_EQ(network.rate(across[0]), 6e6);
  EXPECT_DOUBLE_EQ(network.rate(across[1]), 16e6);
  EXPECT_DOUBLE_EQ(network.rate(across[2]), 4e6);
  network.set_capacity(links[1], 1e6, 2);
  network.settle(2);
  EXPECT_DOUBLE_EQ(network.rate(along), 5e5);
  EXPECT_DOUBLE_EQ(network.rate(across[0]), 95e5);
}

TEST(Flow, NoCapacityHoldsWhatIsOnItsWay) {
  FlowNetwork network;
  const ResourceId link = network.add_resource(1e9);
  const RouteId route = network.add_route(std::vector<ResourceId>{link});
  network.start(route, 1e6, 0, 1);
  network.settle(0);
  network.set_capacity(link, 0, 400'000'000);
  network.settle(400'000'000);
  EXPECT_EQ(network.next(), FlowNetwork::never);
  network.start(route, 1e6, 500'000'000, 2);
  network.settle(500'000'000);
  EXPECT_EQ(network.next(), FlowNetwork::never);
  network.set_capacity(link, 2e9, 900'000'000);
  network.settle(900'000'000);
  EXPECT_EQ(network.next(), 1'500'000'000) << "0.6 Mbit are left of the first, at half of 2 Gbit/s";
}

TEST(Flow, AWatchTellsOnceWhenSoMuchIsLeft) {
  FlowNetwork network;
  const RouteId route = network.add_route(std::vector<ResourceId>{network.add_resource(1e9)});
  const FlowId a = network.start(route, 4e6, 0, 7);
  network.watch(a, 1e6, 0);
  network.settle(0);
  EXPECT_EQ(network.next(), 3'000'000'000);
  // A second flow halves the rate at 1 ms: 2 Mbit are to go until the watch.
  network.start(route, 9e6, 1'000'000'000, 8);
  network.settle(1'000'000'000);
  EXPECT_EQ(network.next(), 5'000'000'000);
  const auto due = network.take_due(5'000'000'000);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].tag, 7U);
  EXPECT_FALSE(due[0].ended);
  network.watch(a, 2e6, 5'000'000'000);
  EXPECT_EQ(network.next(), 5'000'000'000) << "less than that is left already";
  EXPECT_FALSE(network.take_due(5'000'000'000).at(0).ended);
  EXPECT_EQ(network.next(), 7'000'000'000);
}

TEST(Flow, AWeightTakesAMultipleOfTheRate) {
  // One flow that stands for three over the first link, one of weight 1 beside it.
  FlowNetwork network;
  const ResourceId shared = network.add_resource(8e6);
  const std::vector<FlowNetwork::Hop> three{{shared, 3}, {network.add_resource(1.5e6), 1}};
  const FlowId heavy = network.start(network.add_route(three), 1e6, 0);
  const FlowId light = network.start(network.add_route(std::vector<ResourceId>{shared}), 1e6, 0);
  network.settle(0);
  EXPECT_DOUBLE_EQ(network.rate(heavy), 1.5e6);
  EXPECT_DOUBLE_EQ(network.rate(light), 3.5e6);
  EXPECT_DOUBLE_EQ(network.load(shared), 8e6);
}

TEST(Flow, ALargerCapacityAddedLaterChangesNoRate) {
  FlowNetwork network;
  const ResourceId slow = network.add_resource(3e3);
  const RouteId route = network.add_route(std::vector<ResourceId>{slow});
  const FlowId a = network.start(route, 1e6, 0);
  const FlowId b = network.start(route, 1e6, 0);
  network.settle(0);
  const ResourceId fast = network.add_resource(8e11);
  const FlowId c = network.start(network.add_route(std::vector<ResourceId>{slow, fast}), 1e6, 5);
  network.settle(5);
  for (const FlowId flow : {a, b, c}) EXPECT_NEAR(network.rate(flow) / 1e3, 1, 1e-9);
}

// 1 Mbit/s and a bucket of 1000 bits: a microsecond per bit.
std::vector<std::int64_t> through_a_bucket(const std::vector<std::pair<double, std::int64_t>>& transfers,
                                           const std::vector<double>& bursts = {1000}) {
  Case c;
  std::vector<ResourceId> route;
  for (std::size_t r = 0; r < bursts.size(); ++r) {
    c.capacity.push_back(1e6);
    c.burst.push_back(bursts[r]);
    route.push_back(static_cast<ResourceId>(r));
  }
  for (const auto& [bits, start] : transfers) c.transfers.push_back({route, bits, start * 1'000'000});
  auto ends = play(c.capacity, c.burst, c.transfers, in_order(transfers.size())).ends;
  for (auto& end : ends) end /= 1'000'000;
  return ends;
}
using Ends = std::vector<std::int64_t>;

TEST(TokenBucket, ATransferSkipsWhatTheBucketHolds) {
  EXPECT_EQ(through_a_bucket({{5000, 0}}), Ends{4000});
  EXPECT_EQ(through_a_bucket({{1000, 0}}), Ends{0});
  EXPECT_EQ(through_a_bucket({{300, 7}}), Ends{7});
}

TEST(TokenBucket, RefillsWhileIdle) {
  // The first empties it at 0 and ends at 1000; from there it fills.
  EXPECT_EQ(through_a_bucket({{2000, 0}, {2000, 1400}}), (Ends{1000, 1400 + 1600}));
  EXPECT_EQ(through_a_bucket({{2000, 0}, {2000, 9000}}), (Ends{1000, 9000 + 1000}));
  // Less than it holds: the rest stays, and more comes.
  EXPECT_EQ(through_a_bucket({{300, 0}, {2000, 100}}), (Ends{0, 100 + 2000 - 800}));
}

TEST(TokenBucket, TwoThatStartTogetherShareIt) {
  // 500 each; then half the rate each.
  EXPECT_EQ(through_a_bucket({{1500, 0}, {1500, 0}}), (Ends{2000, 2000}));
  EXPECT_EQ(through_a_bucket({{400, 0}, {1500, 0}}), (Ends{0, 900}))
      << "what the first leaves of its half is the second's";
  // Whoever comes while another is sending finds nothing saved.
  EXPECT_EQ(through_a_bucket({{3000, 0}, {500, 1000}}), (Ends{2500, 2000}));
}

TEST(TokenBucket, EveryResourceOfTheRouteHasToGrant) {
  EXPECT_EQ(through_a_bucket({{5000, 0}}, {1000, 300}), Ends{4700});
  EXPECT_EQ(through_a_bucket({{5000, 0}}, {1000, 0}), Ends{5000});
  EXPECT_EQ(through_a_bucket({{5000, 0}}, {0, 1000}), Ends{5000});
}

TEST(TokenBucket, NoLinkPassesMoreThanItsRateAndItsBucket) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Case c = random_case(seed, true);
    const auto ends = play(c.capacity, c.burst, c.transfers, in_order(c.transfers.size())).ends;
    for (ResourceId r = 0; r < c.capacity.size(); ++r) {
      double bits = 0;
      std::int64_t last = 0;
      for (std::size_t i = 0; i < c.transfers.size(); ++i)
        if (std::count(c.transfers[i].route.begin(), c.transfers[i].route.end(), r) > 0) {
          bits += c.transfers[i].bits;
          last = std::max(last, ends[i]);
        }
      const double passes = c.capacity[r] * static_cast<double>(last) / second + c.burst[r];
      EXPECT_LE(bits, passes * (1 + 1e-9) + 10) << "seed " << seed << ", link " << r;
    }
  }
}

TEST(TokenBucket, DoesNotLimitWhileItLasts) {
  // Two senders without buckets into a link with one: 1 ms at both senders' rates, then half of the link each.
  Case c;
  c.capacity = {1e6, 1e6, 1e6};
  c.burst = {0, 0, 1000};
  c.transfers = {{{0, 2}, 5000, 0}, {{1, 2}, 5000, 0}};
  EXPECT_EQ(play(c.capacity, c.burst, c.transfers, in_order(2)).ends, Ends(2, 9'000'000'000));
  // The first sends at twice the link's rate; when the second comes after 0.5 ms, half of the bucket is left, and lasts
  // for 0.25 ms.
  c.capacity = {2e6, 1e6, 1e6};
  c.transfers[1].start = 500'000'000;
  EXPECT_EQ(play(c.capacity, c.burst, c.transfers, in_order(2)).ends, (Ends{7'750'000'000, 9'000'000'000}));
  // What one flow leaves of a common bucket another that starts with it has at once.
  c.capacity = {1e6, 1e6};
  c.burst = {1000, 300};
  c.transfers = {{{0, 1}, 1300, 0}, {{0}, 1700, 0}};
  EXPECT_EQ(play(c.capacity, c.burst, c.transfers, in_order(2)).ends, Ends(2, 2'000'000'000));
}

TEST(TokenBucket, RatesOfProcessorsLetBurstsPass) {
  FlowNetwork network;
  const ResourceId link = network.add_resource(1e6, 1000);
  const ResourceId rate = network.add_rate(5e5);
  network.start(network.add_route(std::vector<ResourceId>{link, rate}), 2000, 0);
  network.settle(0);
  EXPECT_EQ(network.next(), 2'000'000'000);
  // Without a link there is no bucket to draw on.
  FlowNetwork other;
  const auto through = other.add_route(std::vector<ResourceId>{other.add_resource(1e6, 1000)});
  const auto inside = other.add_route(std::vector<ResourceId>{other.add_rate(5e5)});
  other.start(through, 1000, 0, 1);
  other.start(inside, 1000, 0, 2);
  other.settle(0);
  EXPECT_EQ(ended_at(other, 0), Tags{1});
  other.settle(0);
  EXPECT_EQ(other.next(), 2'000'000'000);
}

TEST(TokenBucket, RestFillsIt) {
  FlowNetwork network;
  const RouteId route = network.add_route(std::vector<ResourceId>{network.add_resource(1e6, 1000)});
  network.start(route, 2000, 0, 1);
  network.settle(0);
  EXPECT_EQ(ended_at(network, 1'000'000'000), Tags{1});
  network.settle(1'000'000'000);
  network.rest(1'000'000'000);
  network.start(route, 2000, 1'000'000'000, 2);
  network.settle(1'000'000'000);
  EXPECT_EQ(network.next(), 2'000'000'000);
}

TEST(TokenBucket, AChangeOfCapacityLeavesWhatWasSavedBefore) {
  // Empty at 0; refills at 1 Mbit/s for 0.5 ms, then at 0.1 Mbit/s: 500 and 50 bits are there at 1 ms.
  FlowNetwork network;
  const ResourceId link = network.add_resource(1e6, 1000);
  const RouteId route = network.add_route(std::vector<ResourceId>{link});
  network.start(route, 1000, 0, 1);
  network.settle(0);
  EXPECT_EQ(ended_at(network, 0), Tags{1});
  network.settle(0);
  network.set_capacity(link, 1e5, 500'000'000);
  network.settle(500'000'000);
  network.start(route, 1550, 1'000'000'000, 2);
  network.settle(1'000'000'000);
  EXPECT_EQ(network.next(), 1'000'000'000 + 10'000'000'000);
}

TEST(Flow, OnlyWhatATouchedLinkCanChangeIsFilledAgain) {
  // Unrelated links, each with two flows.
  for (const int others : {0, 10, 1000}) {
    FlowNetwork network;
    std::vector<RouteId> routes;
    for (int i = 0; i <= others; ++i) {
      const ResourceId link = network.add_resource(1e9);
      const ResourceId tail = network.add_resource(1e9);
      for (int k = 0; k < 2; ++k) routes.push_back(network.add_route(std::vector<ResourceId>{link, tail}));
    }
    for (const RouteId route : routes) network.start(route, 1e6, 0);
    network.settle(0);
    const auto before = network.filled_routes();
    network.start(routes[0], 1e6, 5);
    network.settle(5);
    EXPECT_EQ(network.filled_routes() - before, 2U);
  }
  // Joined links: whoever is slower than the least level that can change is left alone.
  FlowNetwork network;
  const ResourceId narrow = network.add_resource(1e6);
  const ResourceId wide = network.add_resource(100e6);
  const RouteId slow = network.add_route(std::vector<ResourceId>{narrow, wide});
  for (int k = 0; k < 10; ++k) network.start(network.add_route(std::vector<ResourceId>{narrow, wide}), 1e9, 0);
  const FlowId one = network.start(slow, 1e9, 0);
  network.start(network.add_route(std::vector<ResourceId>{wide}), 1e9, 0);
  network.settle(0);
  const auto before = network.filled_routes();
  network.start(network.add_route(std::vector<ResourceId>{wide}), 1e9, 3);
  network.settle(3);
  EXPECT_EQ(network.filled_routes() - before, 2U);
  EXPECT_NEAR(network.rate(one), 1e6 / 11, 1e-3);
}

}  // namespace
}  // namespace lockstep::sim
