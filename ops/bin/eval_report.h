#pragma once

#include <string>
#include <vector>

#include "ops/daemon/evaluate.h"
#include "ops/daemon/evaluate_classifier.h"
#include "ops/daemon/evaluate_knn.h"

namespace swavd::bin {

/// How an evaluation is printed.
struct ReportStyle {
  bool json = false;
  bool confusion = false;  ///< with the confusion table
};

[[nodiscard]] std::string views_report(
    const std::string& snapshot_id,
    const daemon::ViewsReport& views,
    const ReportStyle& style);

[[nodiscard]] std::string knn_report(
    const std::string& snapshot_id,
    const daemon::KnnQuery& query,
    const daemon::KnnReport& report,
    const ReportStyle& style);

/// `changed`: what the command line set over the protocol.
[[nodiscard]] std::string classifier_report(
    const daemon::ClassifierQuery& query,
    const std::vector<std::string>& changed,
    const daemon::ClassifierReport& report,
    const ReportStyle& style);

}  // namespace swavd::bin
