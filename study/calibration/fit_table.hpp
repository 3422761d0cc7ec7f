// A fit as a table for people.
#pragma once

#include <span>
#include <string>

#include "study/calibration/message_fit.hpp"

namespace lockstep {

/// Size, measured, `what` ("fitted (us)"), residual.
std::string residual_table(std::span<const SizeResidual> residuals, const std::string& what);

/// Residuals of every size, the intervals with their confidence, and how well every other size predicts the rest.
std::string fit_table(const MessageFit& fit);

}  // namespace lockstep
