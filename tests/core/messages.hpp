// The message of the exception that a call throws.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace lockstep::test {

template <class Exception, class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return "(no error)";
}

}  // namespace lockstep::test
