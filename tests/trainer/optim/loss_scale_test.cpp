#include "trainer/optim/loss_scale.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

TEST(LossScale, DoublesAfterTwoThousandGoodStepsInARow) {
  LossScale scale(Precision::kFloat16);
  EXPECT_EQ(scale.value(), 65536);
  for (int i = 0; i < 1999; ++i) {
    scale.grow();
  }
  EXPECT_EQ(scale.value(), 65536);
  scale.grow();
  EXPECT_EQ(scale.value(), 131072);
  EXPECT_EQ(scale.state().good_steps, 0);
}

TEST(LossScale, AnOverflowHalvesItAndBeginsTheRowAnew) {
  LossScale scale(Precision::kFloat16);
  for (int i = 0; i < 1999; ++i) {
    scale.grow();
  }
  EXPECT_TRUE(scale.back_off());
  EXPECT_EQ(scale.value(), 32768);
  scale.grow();
  EXPECT_EQ(scale.value(), 32768);
  EXPECT_EQ(scale.state().good_steps, 1);
}

TEST(LossScale, IsNeverHalvedBelowOne) {
  LossScale scale(Precision::kFloat16);
  for (int i = 0; i < 16; ++i) {
    EXPECT_TRUE(scale.back_off());
  }
  EXPECT_EQ(scale.value(), 1);
  EXPECT_FALSE(scale.back_off());
  EXPECT_EQ(scale.value(), 1);
}

TEST(LossScale, UnscaledGradientsAreThoseOfTheLossToTheBit) {
  const LossScale scale(Precision::kFloat16);
  const at::Tensor p = at::tensor({.3F, -1.7F, 1e-6F}).requires_grad_(true);
  const at::Tensor without = at::tensor({1.F}).requires_grad_(true);
  p.pow(3).sum().backward();
  const at::Tensor expected = p.grad().clone();
  p.mutable_grad().reset();
  scale.scaled(p.pow(3).sum()).backward();
  EXPECT_FALSE(p.grad().equal(expected));
  scale.unscale({without, p});
  EXPECT_TRUE(p.grad().equal(expected));
}

TEST(LossScale, IsOneForGoodInAnotherPrecision) {
  for (const Precision precision :
       {Precision::kFloat32, Precision::kBfloat16}) {
    LossScale scale(precision);
    EXPECT_FALSE(scale.active());
    scale.grow();
    EXPECT_FALSE(scale.back_off());
    EXPECT_EQ(scale.value(), 1);
  }
}

}  // namespace
}  // namespace swavd::trainer
