// The tables as a picture: time by size, measured and predicted, a panel per table.
#pragma once

#include <span>
#include <string>

#include "bench/accuracy/tables.hpp"

namespace lockstep::accuracy {

/// An SVG document: both axes logarithmic, measured sizes as dots, the model as a line, the median error of each band.
std::string plot(std::span<const Table> tables);

}  // namespace lockstep::accuracy
