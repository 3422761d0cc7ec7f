#pragma once
namespace lockstep {
inline constexpr const char* version = "0.1.0";
}  // namespace lockstep
