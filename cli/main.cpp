#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"
#include "cli/options.hpp"
#include "cli/usage.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/base/version.hpp"
#ifdef LOCKSTEP_REAL
#include "real/measure/mpirun.hpp"
#endif

namespace {

int run(int argc, char** argv) {
  using namespace lockstep;
  CLI::App app{
      "Lockstep predicts how long a distributed training step takes, runs it for real, and shows where the two "
      "differ."};
  app.name("lockstep");
  app.set_version_flag("--version", std::string("lockstep ") + version);
  app.require_subcommand(0, 1);
  app.footer("Exit codes: 0 done, 1 a check fell short, 2 bad input or usage, 3 the run failed.");

  std::vector<std::string> names;
  std::function<int()> action;
  for (const auto& command : cli::command_catalogue()) {
    names.push_back(command.name);
    CLI::App* sub = app.add_subcommand(command.name, command.description);
    sub->footer("Example:\n  " + command.example);
    auto declared = command.declare(*sub);
    sub->callback([&action, declared] { action = declared; });
  }
  if (argc > 1 && argv[1][0] != '-' && std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    throw InputError(unknown_name("command", argv[1], names));
  }
  if (argc > 2 && argv[2][0] != '-') {  // commands of commands: `lockstep topology shwo`
    std::vector<std::string> nested;
    for (CLI::App* command : app.get_subcommands([&](CLI::App* candidate) { return candidate->get_name() == argv[1]; }))
      for (const CLI::App* child : command->get_subcommands([](CLI::App*) { return true; }))
        nested.push_back(child->get_name());
    if (!nested.empty() && std::find(nested.begin(), nested.end(), argv[2]) == nested.end())
      throw InputError(unknown_name(std::string("command of '") + argv[1] + "'", argv[2], nested));
  }
  try {
    lockstep::cli::remember_command_line(argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    throw InputError(cli::explain_usage(app, error, argc, argv));
  }
  if (!action) {
    fmt::print("{}", app.help());
    return 0;
  }
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  try {
#ifdef LOCKSTEP_REAL
    // Not for people: mpirun starts it, see real/measure/mpirun.hpp.
    if (argc == 3 && std::string_view(argv[1]) == "rank") return lockstep::real::run_started_rank(argv[2]);
#endif
    const int code = run(argc, argv);
    if (std::fflush(stdout) != 0) {
      fmt::print(stderr, "error: cannot write to standard output\n");
      return static_cast<int>(lockstep::ExitCode::run_failed);
    }
    return code;
  } catch (const lockstep::Error& error) {
    std::fflush(stdout);
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const lockstep::BrokenInvariant& defect) {
    fmt::print(stderr, "error: a defect in lockstep, please report it with the command and its files: {}\n",
               defect.what());
    return static_cast<int>(lockstep::ExitCode::run_failed);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "error: out of memory\n");
    return static_cast<int>(lockstep::ExitCode::run_failed);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(lockstep::ExitCode::run_failed);
  }
}
