// The summary of rows that came from formulas: no timeline, every rank alike.
#pragma once

#include <span>

#include "core/timeline/result.hpp"

namespace lockstep::sim {

/// A step that consists of these collectives and of the kernels among the operations, one after another: what is not
/// computing is exposed communication.
Summary summary_of(std::span<const CollectiveRow> rows, std::span<const OperationRow> operations = {});

}  // namespace lockstep::sim
