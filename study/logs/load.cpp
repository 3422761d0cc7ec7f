#include <algorithm>
#include <set>

#include "core/base/catalogue.hpp"
#include "core/base/json.hpp"
#include "study/logs/logs.hpp"

namespace lockstep {

MeasurementHints hints_from(const Result& predicted) {
  std::set<CollectiveKind> kinds;
  std::set<int> ranks;
  for (const auto& row : predicted.collectives) {
    kinds.insert(row.kind);
    ranks.insert(row.ranks);
  }
  MeasurementHints hints;
  if (kinds.size() == 1) hints.kind = *kinds.begin();
  if (ranks.size() == 1 && *ranks.begin() > 0) hints.ranks = *ranks.begin();
  return hints;
}

Result load_measurement(const std::string& path, const MeasurementHints& hints) {
  return logs::read_measurement(read_text_file(path), path, hints);
}

namespace logs {

Result read_measurement(std::string_view text, const std::string& file, const MeasurementHints& hints) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) throw InputError(file + ": is empty");
  for (const auto& format : format_catalogue())
    if (format.recognises(text)) return format.read(text, file, hints);
  if (text[first] == '{') return result_from_json(parse_json(text, file), file);
  throw InputError(fmt::format("{}: not a measurement; expected a result of Lockstep (JSON), or a log of {}", file,
                               join(names_of(format_catalogue()), ", ")));
}

}  // namespace logs
}  // namespace lockstep
