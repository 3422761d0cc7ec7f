// What loading costs on this machine, each stage alone: nothing here runs a whole pipeline, so a profile is not fitted
// on what it then predicts.
//
//   access     one reader, cold and cached, samples of 16 KiB to 256 KiB as files and as records: the time that is not
//              CPU is waiting, and both are straight lines in the bytes (least squares of medians over rounds)
//   bandwidth  records of 256 KiB, cold, 16 in flight
//   decode     images of three sizes, 0.6 bytes of JPEG per pixel: CPU against decoded bytes
//   slowdown   CPU time of decoding while all cores decode, over the same alone
//   start      from the creation of a worker until it runs; hand_over: an empty batch through an empty pipeline
#pragma once

#include <functional>
#include <string>

#include "core/loader/costs.hpp"

namespace lockstep::real {

struct LoaderCalibration {
  LoaderCosts costs;
  int cores = 1;
  std::string text;  ///< a table for people
};

/// Writes its files below `folder` and removes them; takes about half a minute. `progress` is told what is measured.
LoaderCalibration calibrate_loader(const std::string& folder, const std::function<void(const std::string&)>& progress);

}  // namespace lockstep::real
