#include "study/loader_explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/text.hpp"

namespace lockstep {
namespace {

constexpr double little = 0.01;   // of the time
constexpr int most_workers = 64;  // times as many as there are

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

std::string bound_of(const LoaderOutcome& outcome) {
  if (outcome.stall_fraction() < little) return {};
  std::size_t most = 0;
  // The filling of the pipeline is nobody's fault.
  for (std::size_t i = 1; i < stall_cause_count; ++i)
    if (i != static_cast<std::size_t>(StallCause::start) &&
        outcome.stall_by_cause_s[i] > outcome.stall_by_cause_s[most])
      most = i;
  return std::string(to_string(static_cast<StallCause>(most)));
}

class Explainer {
 public:
  Explainer(const LoaderSpec& spec, const LoaderAnswer& answer) : spec_(spec), answer_(answer) {}

  /// The smallest number of workers that is as good as very many, if that is better than what there is.
  std::optional<LoaderChange> workers(double stall_now) {
    const int have = spec_.readers.workers;
    const double best = with_workers(have * most_workers).stall_fraction();
    if (best > stall_now - little) return std::nullopt;
    int enough = have * most_workers, too_few = have;
    while (enough - too_few > 1) {
      const int middle = too_few + (enough - too_few) / 2;
      (with_workers(middle).stall_fraction() <= best + little ? enough : too_few) = middle;
    }
    workers_that_do_ = enough;
    return change(fmt::format("{} workers{} instead of {}", enough,
                              spec_.readers.cores && *spec_.readers.cores < enough ? fmt::format(" on {} cores", enough)
                                                                                   : std::string(),
                              have),
                  with_workers(enough));
  }
  [[nodiscard]] int workers_that_do() const { return workers_that_do_; }

  template <class Edit>
  LoaderChange with(const std::string& what, Edit edit) {
    LoaderSpec changed = spec_;
    edit(changed);
    return change(what, answer_(changed));
  }

 private:
  LoaderOutcome with_workers(int count) {
    LoaderSpec changed = spec_;
    changed.readers.workers = count;
    // Workers without cores of their own would only wait for each other.
    if (changed.readers.cores) changed.readers.cores = std::max(*changed.readers.cores, count);
    return answer_(changed);
  }
  static LoaderChange change(const std::string& what, const LoaderOutcome& outcome) {
    return {what, outcome.stall_fraction(), outcome.samples_per_s()};
  }

  const LoaderSpec& spec_;
  const LoaderAnswer& answer_;
  int workers_that_do_ = 0;
};

std::vector<LoaderChange> changes_of(const LoaderSpec& spec, Explainer& explainer) {
  std::vector<LoaderChange> changes;
  const auto& readers = spec.readers;
  if (readers.interpreter > 0)
    changes.push_back(explainer.with("processes instead of threads", [](LoaderSpec& changed) {
      changed.readers.kind = ReadersSpec::Kind::processes;
      changed.readers.interpreter = 0;
    }));
  if (readers.cores)
    changes.push_back(explainer.with(fmt::format("{} cores instead of {}", 2 * *readers.cores, *readers.cores),
                                     [](LoaderSpec& changed) { changed.readers.cores = 2 * *changed.readers.cores; }));
  if (readers.depth < 8)
    changes.push_back(explainer.with("8 reads in flight per worker (io_uring)", [](LoaderSpec& changed) {
      changed.readers.access = Access::io_uring;
      changed.readers.depth = 8;
    }));
  if (spec.dataset.format == DatasetSpec::Format::files)
    changes.push_back(explainer.with("shards of records instead of files", [](LoaderSpec& changed) {
      changed.dataset.format = DatasetSpec::Format::records;
    }));
  if (spec.cache.memory)
    changes.push_back(
        explainer.with("memory for the whole dataset", [](LoaderSpec& changed) { changed.cache.memory.reset(); }));
  changes.push_back(explainer.with(fmt::format("prefetch {} instead of {}", 4 * readers.prefetch, readers.prefetch),
                                   [](LoaderSpec& changed) { changed.readers.prefetch *= 4; }));
  if (readers.ordered)
    changes.push_back(explainer.with("batches as they come (ordered: false)",
                                     [](LoaderSpec& changed) { changed.readers.ordered = false; }));
  if (spec.device.bandwidth || spec.device.latency.count() > 0)
    changes.push_back(explainer.with("a device copy twice as fast", [](LoaderSpec& changed) {
      if (changed.device.bandwidth) changed.device.bandwidth = *changed.device.bandwidth * 2;
      changed.device.latency /= 2;
    }));
  return changes;
}

}  // namespace

LoaderExplanation explain_loader(const LoaderSpec& spec, const LoaderOutcome& as_it_is, const LoaderAnswer& answer) {
  LoaderExplanation explanation;
  explanation.as_it_is = as_it_is;
  explanation.bound = bound_of(as_it_is);
  if (explanation.bound.empty()) {
    explanation.verdict = fmt::format("not waiting for data: {} of the time", percent(as_it_is.stall_fraction()));
    return explanation;
  }
  // What helps is judged among predictions alone.
  const double now = answer(spec).stall_fraction();
  Explainer explainer(spec, answer);
  const auto workers = explainer.workers(now);
  auto changes = changes_of(spec, explainer);
  if (workers) changes.insert(changes.begin(), *workers);
  std::erase_if(changes, [&](const LoaderChange& change) { return change.stall_fraction > now - little; });
  std::stable_sort(changes.begin(), changes.end(), [](const LoaderChange& a, const LoaderChange& b) {
    return a.stall_fraction < b.stall_fraction - little;
  });
  // No setting, but a limit: what all that is done about the storage can bring. It comes last.
  auto limit = explainer.with("a storage that makes nobody wait", [](LoaderSpec& changed) {
    changed.storage = {};
    changed.storage.kind = "memory";
  });
  if (limit.stall_fraction < now - little) changes.push_back(std::move(limit));
  explanation.changes = changes;
  if (changes.empty()) {
    explanation.verdict =
        fmt::format("{} bound, {} of the time is waiting for data; none of the settings alone would help",
                    explanation.bound, percent(as_it_is.stall_fraction()));
    return explanation;
  }
  const LoaderChange& best = changes.front();
  const bool removes = best.stall_fraction < 2 * little;
  explanation.verdict = fmt::format("{} bound: {} {}", explanation.bound, best.what,
                                    removes ? "would remove the stall"
                                            : fmt::format("would leave {} of the time waiting, instead of {}",
                                                          percent(best.stall_fraction), percent(now)));
  if (workers && best.what == workers->what) {
    const int enough = explainer.workers_that_do();
    explanation.verdict += fmt::format("; {} would not help more", enough + (enough + 1) / 2);
  }
  return explanation;
}

LoaderExplanation explain_loader(const LoaderSpec& spec, const LoaderAnswer& answer) {
  return explain_loader(spec, answer(spec), answer);
}

std::string to_text(const LoaderExplanation& explanation) {
  std::string text = loader_table(explanation.as_it_is) + explanation.verdict + "\n";
  if (explanation.changes.empty()) return text;
  std::vector<std::vector<std::string>> rows{{"what would help", "waiting for data", "samples/s"}};
  for (const auto& change : explanation.changes)
    rows.push_back({change.what, percent(change.stall_fraction), fmt::format("{:.1f}", change.samples_per_s)});
  return text + format_table(rows);
}

Json to_json(const LoaderExplanation& explanation) {
  Json changes = Json::array();
  for (const auto& change : explanation.changes)
    changes.push_back(
        {{"change", change.what}, {"stall_fraction", change.stall_fraction}, {"samples_per_s", change.samples_per_s}});
  return Json{{"schema", "lockstep.explanation/1"},
              {"bound", explanation.bound.empty() ? Json(nullptr) : Json(explanation.bound)},
              {"verdict", explanation.verdict},
              {"changes", std::move(changes)},
              {"loader", to_json(explanation.as_it_is)}};
}

}  // namespace lockstep
