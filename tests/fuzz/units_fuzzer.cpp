// Quantities: what parses survives its canonical text.
#include "core/units/parse.hpp"
#include "tests/fuzz/fuzzer.hpp"

namespace {

template <class Parse>
void round_trip(Parse parse, std::string_view text) {
  try {
    const auto value = parse(text);
    LOCKSTEP_CHECK(parse(lockstep::to_text(value)) == value, "{} became {}", text, lockstep::to_text(value));
  } catch (const lockstep::UnitError&) {
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  const std::string_view text = fuzz::text_of(data, size);
  round_trip(parse_duration, text);
  round_trip(parse_bytes, text);
  round_trip(parse_bandwidth, text);
  try {
    parse_fraction(text);
  } catch (const UnitError&) {
  }
  return 0;
}
