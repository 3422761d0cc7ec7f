// The summary of rows that came from formulas: no timeline, every rank alike.
#pragma once

#include <span>

#include "core/timeline/result.hpp"

namespace lockstep::sim {

/// A step that consists of these collectives, one after another. All of it is exposed communication.
Summary summary_of(std::span<const CollectiveRow> rows);

}  // namespace lockstep::sim
