// lockstep doctor: what this machine offers, what is missing, and the package or setting that brings it.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "core/base/text.hpp"
#include "real/lab/probe.hpp"

namespace lockstep::cli {

std::function<int()> declare_doctor(CLI::App& app) {
  const auto json_file = std::make_shared<std::string>();
  app.add_option("--json", *json_file, "Write the findings as JSON; - for standard output")->type_name("FILE");
  return [json_file] {
    check_writable(*json_file, "--json");
    const auto findings = real::probe_machine();
    std::vector<std::vector<std::string>> rows{{"what", "ok", "found", "remedy"}};
    auto json = nlohmann::ordered_json::array();
    for (const auto& finding : findings) {
      rows.push_back({finding.name, finding.ok ? "yes" : "no", finding.detail, finding.remedy});
      json.push_back(
          {{"name", finding.name}, {"ok", finding.ok}, {"detail", finding.detail}, {"remedy", finding.remedy}});
    }
    if (!json_file->empty()) write_output(*json_file, nlohmann::ordered_json{{"findings", json}}.dump(2) + "\n");
    if (*json_file != "-") fmt::print("{}", format_table(rows));
    return 0;
  };
}

}  // namespace lockstep::cli
