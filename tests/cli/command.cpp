#include "tests/cli/command.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace lockstep::test {
namespace {

// What tells a process that it is a rank of somebody's job.
constexpr std::array launchers_variables{
    "RANK",         "WORLD_SIZE",    "MASTER_ADDR",          "MASTER_PORT",
    "PMI_RANK",     "PMI_SIZE",      "SLURM_PROCID",         "SLURM_NTASKS",
    "SLURM_JOB_ID", "SLURM_STEP_ID", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"};

std::string text_of(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  ::lseek(fd, 0, SEEK_SET);
  for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(n));
  return text;
}

/// The fields of /proc/ID/stat after the name of the program, which may hold blanks.
std::vector<std::string> stat_of(int id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  return {std::istream_iterator<std::string>(rest), {}};
}

}  // namespace

Folder::Folder() {
  std::string name = std::filesystem::temp_directory_path() / "lockstep-cli-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}
Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
void Folder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ + "/" + name, std::ios::binary) << text;
}
std::string Folder::read(const std::string& name) const {
  std::ifstream file(path_ + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::vector<std::string> Folder::names() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

Process::Process(const std::vector<std::string>& arguments, const Surroundings& surroundings)
    : started_(std::chrono::steady_clock::now()) {
  output_ = ::memfd_create("output", MFD_CLOEXEC);
  errors_ = ::memfd_create("errors", MFD_CLOEXEC);
  std::array<int, 2> witness{};
  if (output_ < 0 || errors_ < 0 || ::pipe2(witness.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no file descriptors");
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  id_ = ::fork();
  if (id_ < 0) throw std::runtime_error("fork");
  if (id_ == 0) {
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, 0);
    ::dup2(output_, 1);
    ::dup2(errors_, 2);
    ::fcntl(witness[1], F_SETFD, 0);  // inherited by all that it starts
    for (const char* variable : launchers_variables) ::unsetenv(variable);
    ::setenv("NO_COLOR", "1", 1);
    for (const auto& [name, value] : surroundings.environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (surroundings.folder.empty() || ::chdir(surroundings.folder.c_str()) == 0) ::execvp(argv[0], argv.data());
    ::_exit(126);
  }
  ::close(witness[1]);
  witness_ = witness[0];
}

Process::~Process() {
  if (!ended_) {
    send(SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  for (const int fd : {output_, errors_, witness_}) ::close(fd);
}

void Process::send(int signal) const { ::kill(id_, signal); }

double Process::cpu_s(int id) {
  const auto fields = stat_of(id);  // from field 3, the state; utime and stime are fields 14 and 15 (proc(5))
  if (fields.size() < 13) return 0;
  return (std::stod(fields[11]) + std::stod(fields[12])) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::vector<int> Process::children() const { return children_of(id_); }

std::vector<int> children_of(int id) {
  std::vector<int> ids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto fields = stat_of(std::stoi(name));
    if (fields.size() > 1 && std::stoi(fields[1]) == id) ids.push_back(std::stoi(name));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Outcome Process::wait(std::chrono::milliseconds limit) {
  Outcome outcome;
  pollfd ended{static_cast<int>(::syscall(SYS_pidfd_open, id_, 0)), POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(limit.count())) == 0) {
    outcome.timed_out = true;
    send(SIGKILL);
  }
  ::close(ended.fd);
  int status = 0;
  while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
  ended_ = true;
  outcome.time = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  // Children get a moment: the kernel ends them when it ends their parent, one after the other.
  pollfd gone{witness_, POLLIN, 0};
  outcome.left_behind = ::poll(&gone, 1, 2000) != 1;
  outcome.output = text_of(output_);
  outcome.errors = text_of(errors_);
  return outcome;
}

std::vector<std::string> command(const std::vector<std::string>& arguments) {
  std::vector<std::string> whole{LOCKSTEP_BINARY};
  whole.insert(whole.end(), arguments.begin(), arguments.end());
  return whole;
}

Outcome lockstep(const std::vector<std::string>& arguments, const Surroundings& surroundings,
                 std::chrono::milliseconds limit) {
  return Process(command(arguments), surroundings).wait(limit);
}

std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> result;
  std::string word;
  bool quoted = false;
  bool any = false;
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) result.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) result.push_back(word);
  return result;
}

Outcome lockstep_line(const std::string& line, const Surroundings& surroundings, std::chrono::milliseconds limit) {
  return lockstep(words(line), surroundings, limit);
}

std::vector<std::string> command_names() {
  std::istringstream help(lockstep_line("--help").output);
  std::vector<std::string> names;
  bool listed = false;
  for (std::string line; std::getline(help, line);) {
    if (listed && line.starts_with("  ")) names.push_back(line.substr(2, line.find(' ', 2) - 2));
    if (listed && line.empty()) break;
    if (line == "Subcommands:") listed = true;
  }
  return names;
}

std::string example_of(const std::string& help) {
  constexpr std::string_view title = "Example:\n  lockstep ";
  const auto at = help.find(title);
  if (at == std::string::npos) return {};
  const auto begin = at + title.size();
  return help.substr(begin, help.find('\n', begin) - begin);
}

int free_port() {
  const Listener listener;
  return listener.port();
}

Listener::Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 1) != 0 ||
      ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no port");
  port_ = ntohs(address.sin_port);
}
Listener::~Listener() { ::close(socket_); }

void pause_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

}  // namespace lockstep::test
