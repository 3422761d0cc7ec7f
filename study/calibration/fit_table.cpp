#include "study/calibration/fit_table.hpp"

#include <fmt/format.h>

#include "core/base/text.hpp"
#include "core/units/parse.hpp"

namespace lockstep {

std::string residual_table(std::span<const SizeResidual> residuals, const std::string& what) {
  std::vector<std::vector<std::string>> rows{{"size", "measured (us)", what, "residual"}};
  for (const auto& residual : residuals)
    rows.push_back({format_bytes(residual.size), fmt::format("{:.2f}", residual.measured_s * 1e6),
                    fmt::format("{:.2f}", residual.fitted_s * 1e6), fmt::format("{:+.1f}%", residual.relative * 100)});
  return format_table(rows);
}

std::string fit_table(const MessageFit& fit) {
  std::string text = residual_table(fit.residuals, "fitted (us)");
  for (const auto& interval : fit.intervals) {
    text += fmt::format("# {}: {:.2f} us [{:.2f} ... {:.2f}] per message + {:.4f} ns [{:.4f} ... {:.4f}] per byte\n",
                        interval.up_to ? "up to " + format_bytes(*interval.up_to) : std::string("larger"),
                        interval.intercept_s.value * 1e6, interval.intercept_s.low * 1e6,
                        interval.intercept_s.high * 1e6, interval.slope_s_per_byte.value * 1e9,
                        interval.slope_s_per_byte.low * 1e9, interval.slope_s_per_byte.high * 1e9);
  }
  text += fmt::format("# residuals: median {:.1f}%, largest {:.1f}%\n", fit.median_error * 100, fit.max_error * 100);
  if (fit.held_out_median_error)
    text += fmt::format(
        "# fitted on every other size, the rest is predicted with a median error of {:.1f}%, at most {:.1f}%\n",
        *fit.held_out_median_error * 100, *fit.held_out_max_error * 100);
  return text;
}

}  // namespace lockstep
