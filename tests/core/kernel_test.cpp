// Do kernels say the flops and bytes of their formulas, does their text survive, and are wrong ones refused?
#include "core/compute/kernel.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/base/error.hpp"
#include "core/plan/plan.hpp"
#include "core/workload/workload.hpp"
#include "tests/core/messages.hpp"

namespace lockstep {
namespace {

Kernel kernel(const std::string& name, std::vector<std::int64_t> shape, ElementType type = ElementType::float32) {
  return {name, type, std::move(shape)};
}

TEST(Kernels, SayWhatTheirFormulasSay) {
  const Kernel product = kernel("matmul", {3, 5, 7});
  EXPECT_EQ(product.flops(), Flops{2 * 3 * 5 * 7});
  EXPECT_EQ(product.traffic(), Bytes{4 * (3 * 7 + 5 * 7 + 3 * 5)});
  EXPECT_EQ(kernel("matmul", {3, 5, 7}, ElementType::float64).traffic(), Bytes{8 * (3 * 7 + 5 * 7 + 3 * 5)});
  EXPECT_EQ(kernel("copy", {100}).flops(), Flops{0});
  EXPECT_EQ(kernel("copy", {100}).traffic(), Bytes{800});
  EXPECT_EQ(kernel("scale", {100}).flops(), Flops{100});
  EXPECT_EQ(kernel("add", {100}).traffic(), Bytes{1200});
  EXPECT_EQ(kernel("gelu", {100}).flops(), Flops{900});
  EXPECT_EQ(kernel("softmax", {10, 20}).flops(), Flops{1000});
  EXPECT_EQ(kernel("softmax", {10, 20}).traffic(), Bytes{1600});
  EXPECT_EQ(kernel("layer_norm", {10, 20}).traffic(), Bytes{4 * (400 + 40)});
  EXPECT_EQ(kernel("adam", {100}).traffic(), Bytes{2800});
  EXPECT_EQ(kernel("adam", {100}).working_set(), Bytes{1600});
  // The same arithmetic in eight passes.
  EXPECT_EQ(kernel("adam_unfused", {100}).flops(), kernel("adam", {100}).flops());
  EXPECT_EQ(kernel("adam_unfused", {100}).traffic(), Bytes{8000});
  EXPECT_EQ(kernel("adam_unfused", {100}).working_set(), Bytes{2000});
}

TEST(Kernels, TrafficIsAFixedShareOfTheWorkingSet) {
  for (const KernelKind& kind : kernel_catalogue()) {
    if (kind.by_flops) continue;
    Kernel small = kernel(kind.name, std::vector<std::int64_t>(kind.dimensions.size(), 3));
    Kernel large = kernel(kind.name, std::vector<std::int64_t>(kind.dimensions.size(), 1000));
    EXPECT_EQ(small.traffic().count() * large.working_set().count(),
              large.traffic().count() * small.working_set().count())
        << kind.name;
  }
}

TEST(Kernels, TextsSurvive) {
  EXPECT_EQ(to_text(kernel("matmul", {1024, 1024, 512})), "matmul:float32:1024x1024x512");
  EXPECT_EQ(parse_kernel("adam:float64:1048576"), kernel("adam", {1048576}, ElementType::float64));
  EXPECT_TRUE(rc::check("any kernel survives being written", [] {
    const auto kinds = kernel_catalogue();
    const KernelKind& kind = kinds[*rc::gen::inRange<std::size_t>(0, kinds.size())];
    Kernel any = kernel(kind.name, {}, *rc::gen::elementOf(std::vector(kernel_types().begin(), kernel_types().end())));
    for (std::size_t d = 0; d < kind.dimensions.size(); ++d) any.shape.push_back(*rc::gen::inRange(1, 100'000));
    RC_ASSERT(parse_kernel(to_text(any)) == any);
  }));
}

TEST(Kernels, WrongTextsAreRefused) {
  const auto error = [](std::string_view text) { return test::message_of<InputError>([&] { parse_kernel(text); }); };
  EXPECT_EQ(error("matmul"),
            "kernel 'matmul': expected NAME:TYPE:SHAPE, as in matmul:float32:1024x1024x512 or adam:float32:1048576");
  EXPECT_EQ(error("matmull:float32:1x1x1"),
            "kernel 'matmull:float32:1x1x1': unknown kernel 'matmull'; did you mean 'matmul'? known: matmul, copy, "
            "scale, add, gelu, softmax, layer_norm, adam, adam_unfused");
  EXPECT_EQ(
      error("copy:float16:8"),
      "kernel 'copy:float16:8': unknown element type 'float16'; did you mean 'bfloat16'? known: float32, float64, "
      "int32, bfloat16");
  EXPECT_EQ(error("copy:int32:8"), "kernel 'copy:int32:8': kernels are made for float32 and float64, copy is of int32");
  EXPECT_EQ(error("matmul:float32:8x8"), "kernel 'matmul:float32:8x8': matmul has the shape m x n x k, not 8x8");
  EXPECT_EQ(error("adam:float32:0"),
            "kernel 'adam:float32:0': '0' is no length: a shape is whole numbers with 'x' between them");
  for (const char* text : {"adam:float32:", "adam:float32:-8", "adam:float32:+8", "adam:float32:8x", "adam:float32:08",
                           "adam:float32: 8", "adam:float32:8:", "ADAM:float32:8", "", "::"})
    EXPECT_NE(error(text), "") << text;
  EXPECT_EQ(error("adam:float32:2147483648"),
            "kernel 'adam:float32:2147483648': adam: elements must be between 1 and 2147483647, is 2147483648");
  EXPECT_EQ(error("matmul:float32:1000000x1000000x1000000"),
            "kernel 'matmul:float32:1000000x1000000x1000000': matmul of 1000000x1000000x1000000 is more than 2^53 "
            "operations or 64 TiB of memory");
  EXPECT_EQ(error(std::string(100'000, 'x')).size() < 400, true);
}

Workload read(const std::string& kernels) {
  const std::string text = "name: w\nkernels:\n" + kernels;
  return read_workload(config::parse_text(text, "w.yaml"), "w.yaml");
}
std::vector<std::string> texts(const std::string& kernels) {
  std::vector<std::string> all;
  for (const auto& spec : read(kernels).kernels)
    for (const Kernel& one : spec.kernels) all.push_back(to_text(one));
  return all;
}
std::string error(const std::string& kernels) {
  return test::message_of<InputError>([&] { read(kernels); });
}

TEST(KernelsOfWorkloads, EveryCombinationOfLengthsIsARow) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(
      texts("  - {kernel: matmul, m: 8, n: [16, 32], k: {from: 1, to: 4, factor: 4}}\n"),
      (Texts{"matmul:float32:8x16x1", "matmul:float32:8x16x4", "matmul:float32:8x32x1", "matmul:float32:8x32x4"}));
  EXPECT_EQ(texts("  - {kernel: matmul, size: [8, 16], type: float64}\n"),
            (Texts{"matmul:float64:8x8x8", "matmul:float64:16x16x16"}));
  EXPECT_EQ(texts("  - {kernel: adam, elements: 1Mi}\n  - {kernel: copy, elements: [100k, 7]}\n"),
            (Texts{"adam:float32:1048576", "copy:float32:100000", "copy:float32:7"}));
  EXPECT_EQ(texts("  - {kernel: softmax, rows: 2, columns: 1Ki}\n"), (Texts{"softmax:float32:2x1024"}));
}

TEST(KernelsOfWorkloads, WrongOnesAreRefused) {
  EXPECT_EQ(error("  - {kernel: matmul, m: 8, n: 8}\n"), "w.yaml:3:5: matmul has the shape m x n x k: give 'k'");
  EXPECT_EQ(error("  - {kernel: copy, elements: 8, rows: 8}\n"),
            "w.yaml:3:33: copy has the shape elements; remove 'rows'");
  EXPECT_EQ(error("  - {kernel: copy, elements: 8, size: 8}\n"),
            "w.yaml:3:20: 'size' says all lengths; remove 'elements'");
  EXPECT_EQ(error("  - {kernel: copy, elements: 0}\n"), "w.yaml:3:30: must be between 1 and 2147483647, is 0");
  EXPECT_EQ(error("  - {kernel: copy, elements: 1M, type: bfloat16}\n"),
            "w.yaml:3:40: unknown element type 'bfloat16'; known: float32, float64");
  EXPECT_EQ(error("  - {kernel: adm, elements: 8}\n"),
            "w.yaml:3:14: unknown kernel 'adm'; did you mean 'add'? known: matmul, copy, scale, add, gelu, softmax, "
            "layer_norm, adam, adam_unfused");
  EXPECT_EQ(error("  - {kernel: matmul, size: 1000000}\n"),
            "w.yaml:3:5: matmul of 1000000x1000000x1000000 is more than 2^53 operations or 64 TiB of memory");
  EXPECT_EQ(error("  - {kernel: copy, elements: {from: 8, to: 4}}\n"),
            "w.yaml:3:30: a sweep from 8 to 4 is empty; 'to' must not be below 'from'");
  EXPECT_EQ(error("  - {kernel: matmul, m: {from: 1, to: 1000000}, n: {from: 1, to: 1000000}, k: [1, 2, 3, 4, 5, 6, 7, "
                  "8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]}\n"),
            "w.yaml:1:1: more than 10000 rows, those of kernels included");
}

TEST(KernelsOfWorkloads, ArePlannedAfterTheCollectives) {
  const Workload workload = read_workload(
      config::parse_text("name: w\ncollectives: [{kind: all_reduce, size: 1KiB}]\nkernels: [{kernel: add, elements: "
                         "8}, {kernel: matmul, size: 4}]\niterations: 3\nwarmup: 2\n",
                         "w.yaml"),
      "w.yaml");
  const PlannedWorkload planned = plan_workload(workload, 3);
  EXPECT_TRUE(validate(planned.plan).empty());
  ASSERT_EQ(planned.rows.size(), 1U);
  ASSERT_EQ(planned.kernels.size(), 2U);
  EXPECT_EQ(planned.kernels[1].kernel, kernel("matmul", {4, 4, 4}));
  EXPECT_EQ(planned.kernels[0].operation, planned.rows[0].verify + 3);
  EXPECT_EQ(read_plan(plan_exchange(planned.plan), "plan"), planned.plan);
  // Without a collective there is nothing to keep data in.
  EXPECT_TRUE(plan_workload(read("  - {kernel: add, elements: 8}\n"), 2).plan.roles[0].buffers.empty());
}

TEST(KernelsOfWorkloads, APlanWithAWrongKernelIsFound) {
  PlannedWorkload planned = plan_workload(read("  - {kernel: add, elements: 8}\n"), 2);
  auto& repeat = std::get<Repeat>(planned.plan.roles[0].streams[0].items[1]);
  auto& compute = std::get<Compute>(std::get<Operation>(repeat.body[1]).action);
  compute.flops = 9;
  ASSERT_EQ(validate(planned.plan).size(), 1U);
  EXPECT_EQ(validate(planned.plan)[0].message, "9 flops of a kernel that does 8");
  compute.kernel = "add:float32:x";
  EXPECT_EQ(validate(planned.plan)[0].message,
            "kernel 'add:float32:x': '' is no length: a shape is whole numbers with 'x' between them");
}

}  // namespace
}  // namespace lockstep
