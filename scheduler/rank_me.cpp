#include "scheduler/rank_me.h"

#include <algorithm>
#include <cmath>

namespace swavd::scheduler {

namespace {

/// A symmetric matrix, row-major.
struct Square {
  std::size_t size = 0;
  std::vector<double> values;

  double& at(std::size_t row, std::size_t column) {
    return values[row * size + column];
  }
};

/// Diagonal and what stands beside it: `beside[i]` couples i and i + 1.
struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> beside;
};

/// X Xᵀ or Xᵀ X, whichever is smaller: their eigenvalues that are not zero are
/// the squares of the singular values of X.
Square gram(std::span<const float> rows, std::size_t dim) {
  const std::size_t count = rows.size() / dim;
  const bool of_rows = count < dim;
  Square product;
  product.size = of_rows ? count : dim;
  product.values.assign(product.size * product.size, 0.0);
  const std::size_t steps = of_rows ? dim : count;
  std::vector<double> one(product.size);
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < product.size; ++i) {
      one[i] = rows[of_rows ? i * dim + step : step * dim + i];
    }
    for (std::size_t i = 0; i < product.size; ++i) {
      for (std::size_t j = i; j < product.size; ++j) {
        product.at(i, j) += one[i] * one[j];
      }
    }
  }
  for (std::size_t i = 0; i < product.size; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      product.at(i, j) = product.at(j, i);
    }
  }
  return product;
}

/// Reflects row and column `k` of `a` onto their neighbour beside the diagonal
/// and gives what then stands there (Householder).
double reflect(Square& a, std::size_t k, std::vector<double>& normal) {
  const std::size_t n = a.size;
  double squares = 0;
  for (std::size_t i = k + 1; i < n; ++i) {
    normal[i] = a.at(i, k);
    squares += normal[i] * normal[i];
  }
  const double length = std::sqrt(squares);
  if (length == 0) {
    return 0;
  }
  const double beside = normal[k + 1] > 0 ? -length : length;
  normal[k + 1] -= beside;
  double normal_squares = 0;
  for (std::size_t i = k + 1; i < n; ++i) {
    normal_squares += normal[i] * normal[i];
  }
  const double beta = 2.0 / normal_squares;
  std::vector<double> image(n, 0.0);
  double along = 0;
  for (std::size_t i = k + 1; i < n; ++i) {
    for (std::size_t j = k + 1; j < n; ++j) {
      image[i] += beta * a.at(i, j) * normal[j];
    }
    along += image[i] * normal[i];
  }
  for (std::size_t i = k + 1; i < n; ++i) {
    image[i] -= 0.5 * beta * along * normal[i];
  }
  for (std::size_t i = k + 1; i < n; ++i) {
    for (std::size_t j = k + 1; j < n; ++j) {
      a.at(i, j) -= normal[i] * image[j] + image[i] * normal[j];
    }
  }
  return beside;
}

/// The tridiagonal matrix with the eigenvalues of `a`.
Tridiagonal tridiagonal(Square a) {
  const std::size_t n = a.size;
  Tridiagonal reduced;
  std::vector<double> normal(n, 0.0);
  for (std::size_t k = 0; k < n; ++k) {
    reduced.diagonal.push_back(a.at(k, k));
    if (k + 2 < n) {
      reduced.beside.push_back(reflect(a, k, normal));
    } else if (k + 2 == n) {
      reduced.beside.push_back(a.at(k + 1, k));
    }
  }
  return reduced;
}

/// How many eigenvalues lie below `x` (Sturm's sequence).
std::size_t count_below(const Tridiagonal& matrix, double x) {
  constexpr double kTiny = 1e-300;
  std::size_t below = 0;
  double pivot = 1;
  for (std::size_t i = 0; i < matrix.diagonal.size(); ++i) {
    const double beside = i > 0 ? matrix.beside[i - 1] : 0.0;
    pivot = matrix.diagonal[i] - x - beside * beside / pivot;
    if (pivot == 0) {
      pivot = kTiny;
    }
    below += pivot < 0 ? 1 : 0;
  }
  return below;
}

/// The eigenvalue with `number` smaller ones, of a matrix without negative
/// ones whose sum is `trace`.
double eigenvalue(const Tridiagonal& matrix, std::size_t number, double trace) {
  constexpr int kHalvings = 48;
  double low = 0;
  double high = trace;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = 0.5 * (low + high);
    (count_below(matrix, middle) > number ? high : low) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace

double rank_me(std::span<const float> rows, std::int64_t dim) {
  Square product = gram(rows, static_cast<std::size_t>(dim));
  double trace = 0;
  for (std::size_t i = 0; i < product.size; ++i) {
    trace += product.at(i, i);
  }
  if (trace == 0) {
    return 0;
  }
  const Tridiagonal reduced = tridiagonal(std::move(product));
  std::vector<double> singular;
  double sum = 0;
  for (std::size_t i = 0; i < reduced.diagonal.size(); ++i) {
    singular.push_back(std::sqrt(eigenvalue(reduced, i, trace)));
    sum += singular.back();
  }
  constexpr double kEpsilon = 1e-7;
  double entropy = 0;
  for (const double value : singular) {
    const double share = value / sum + kEpsilon;
    entropy -= share * std::log(share);
  }
  return std::exp(entropy);
}

namespace {

std::size_t rows_for(std::int64_t dim) {
  constexpr std::int64_t kRowsPerDimension = 4;
  constexpr std::int64_t kMost = 256;
  return static_cast<std::size_t>(
      dim <= kMost ? kRowsPerDimension * dim : kMost);
}

}  // namespace

EmbeddingReservoir::EmbeddingReservoir(std::int64_t dim)
    : dim_(static_cast<std::size_t>(dim)),
      rows_(rows_for(dim)) {
  values_.reserve(rows_ * dim_);
}

void EmbeddingReservoir::add(std::span<const float> rows) {
  for (std::size_t from = 0; from + dim_ <= rows.size(); from += dim_) {
    const auto row = rows.subspan(from, dim_);
    if (values_.size() < rows_ * dim_) {
      values_.insert(values_.end(), row.begin(), row.end());
    } else {
      std::copy(
          row.begin(),
          row.end(),
          values_.begin() + static_cast<std::ptrdiff_t>(next_ * dim_));
    }
    next_ = (next_ + 1) % rows_;
    ++fresh_;
  }
}

bool EmbeddingReservoir::renewed() {
  if (fresh_ < rows_) {
    return false;
  }
  fresh_ = 0;
  return true;
}

double EmbeddingReservoir::rank() const {
  return rank_me(values_, static_cast<std::int64_t>(dim_));
}

}  // namespace swavd::scheduler
