// lockstep schema: the JSON Schema of a kind of file, for editors.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.hpp"
#include "core/base/catalogue.hpp"
#include "core/schema/catalogue.hpp"

namespace lockstep::cli {

std::function<int()> declare_schema(CLI::App& app) {
  std::string kinds = "the kind of file:";
  for (const auto& schema : schema_catalogue()) kinds += fmt::format("\n{}: {}", schema.name, schema.description);
  const auto kind = std::make_shared<std::string>();
  app.add_option("KIND", *kind, kinds)->required();
  return [kind] {
    fmt::print("{}", schema_text(get_from(schema_catalogue(), "kind of file", *kind)));
    return 0;
  };
}

}  // namespace lockstep::cli
