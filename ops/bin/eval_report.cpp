#include "ops/bin/eval_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "ops/daemon/confusion.h"

namespace swavd::bin {

namespace {

using Json = nlohmann::ordered_json;

void add_confusion(Json& json, const daemon::ConfusionTable& table) {
  json["confusion"] = {{"classes", table.classes}, {"counts", table.counts}};
}

std::string classifier_augmentation(const daemon::ClassifierQuery& query) {
  return query.cached ? "none: centre crops, their features computed once"
                      : "random resized crops and flips";
}

Json protocol_json(
    const daemon::ClassifierQuery& query,
    const std::vector<std::string>& changed,
    const daemon::ClassifierReport& report) {
  const trainer::Protocol& protocol = query.protocol;
  const double scale = protocol.batch / 256.0;
  Json json = {
      {"name", protocol.name},
      {"changed", changed},
      {"epochs", protocol.epochs},
      {"batch", protocol.batch},
      {"rate", scale * protocol.rate},
      {"head_rate",
       scale * (protocol.head_rate > 0 ? protocol.head_rate : protocol.rate)}};
  if (protocol.cosine) {
    json["schedule"] = "cosine";
    json["end_rate"] = protocol.end_rate;
  } else {
    json["schedule"] = "milestones";
    json["milestones"] = protocol.milestones;
    json["factor"] = protocol.factor;
  }
  json["momentum"] = protocol.sgd.momentum;
  json["nesterov"] = protocol.sgd.nesterov;
  json["weight_decay"] = protocol.sgd.weight_decay;
  json["decay_norms"] = protocol.sgd.decay_norms;
  json["decay_biases"] = protocol.sgd.decay_biases;
  json["augmentation"] = classifier_augmentation(query);
  json["crop"] = report.crop;
  json["test_resize"] = report.resize;
  json["seed"] = query.seed;
  if (query.fraction > 0) {
    json["fraction"] = query.fraction;
  }
  return json;
}

Json heads_json(const daemon::ClassifierReport& report) {
  Json heads = Json::array();
  for (const daemon::HeadResult& result : report.heads) {
    heads.push_back(
        {{"name", result.head.name},
         {"features", result.head.features},
         {"top1", result.test.top1},
         {"standard_error", result.test.standard_error}});
  }
  return heads;
}

std::string classifier_json(
    const daemon::ClassifierQuery& query,
    const std::vector<std::string>& changed,
    const daemon::ClassifierReport& report,
    const ReportStyle& style) {
  const daemon::HeadResult& best = report.heads[report.best];
  Json json = {
      {"snapshot", report.snapshot_id},
      {"evaluation", trainer::to_string(query.protocol.kind)},
      {"protocol", protocol_json(query, changed, report)},
      {"top1", best.test.top1},
      {"standard_error", best.test.standard_error},
      {"best", best.head.name},
      {"heads", heads_json(report)},
      {"pixels_top1", report.pixels.top1},
      {"pixels_standard_error", report.pixels.standard_error},
      {"pixels_bank", report.pixels_bank},
      {"train_images", report.train_images},
      {"least_per_class", report.least_per_class},
      {"most_per_class", report.most_per_class},
      {"test_images", report.truth.size()},
      {"classes", report.classes.size()},
      {"rejected", report.rejected},
      {"steps", report.steps},
      {"loss", report.loss}};
  if (style.confusion) {
    add_confusion(
        json,
        daemon::confusion_table(
            report.classes, report.truth, best.test.predicted));
  }
  return json.dump();
}

std::string per_class(const daemon::ClassifierReport& report) {
  return report.least_per_class == report.most_per_class
             ? fmt::format("{}", report.most_per_class)
             : fmt::format(
                   "{} to {}", report.least_per_class, report.most_per_class);
}

}  // namespace

std::string views_report(
    const std::string& snapshot_id,
    const daemon::ViewsReport& views,
    const ReportStyle& style) {
  if (style.json) {
    return Json({{"snapshot", snapshot_id},
                 {"images", views.hits.size()},
                 {"rounds", views.rounds},
                 {"top1", views.top1},
                 {"standard_error", views.standard_error}})
        .dump();
  }
  return fmt::format(
      "view retrieval {:.2f} ± {:.2f} % among {} images in {} rounds (chance "
      "{:.2f} %)",
      views.top1,
      views.standard_error,
      views.hits.size(),
      views.rounds,
      100.0 / static_cast<double>(2 * views.hits.size() - 1));
}

std::string knn_report(
    const std::string& snapshot_id,
    const daemon::KnnQuery& query,
    const daemon::KnnReport& report,
    const ReportStyle& style) {
  const daemon::ConfusionTable table =
      style.confusion ? daemon::confusion_table(
                            report.names, report.truth, report.model.predicted)
                      : daemon::ConfusionTable{};
  if (style.json) {
    Json json = {
        {"snapshot", snapshot_id},
        {"evaluation", "knn"},
        {"k", query.knn.k},
        {"temperature", query.knn.temperature},
        {"top1", report.model.top1},
        {"standard_error", report.model.standard_error},
        {"pixels_top1", report.pixels.top1},
        {"pixels_standard_error", report.pixels.standard_error},
        {"bank", report.bank},
        {"queries", report.model.queries},
        {"classes", report.classes},
        {"rejected", report.rejected}};
    if (style.confusion) {
      add_confusion(json, table);
    }
    return json.dump();
  }
  return fmt::format(
      "kNN {:.2f} ± {:.2f} % ({} queries, bank of {}, {} classes); on raw "
      "pixels {:.2f} %{}",
      report.model.top1,
      report.model.standard_error,
      report.model.queries,
      report.bank,
      report.classes,
      report.pixels.top1,
      style.confusion ? "\n" + daemon::to_text(table) : "");
}

std::string classifier_report(
    const daemon::ClassifierQuery& query,
    const std::vector<std::string>& changed,
    const daemon::ClassifierReport& report,
    const ReportStyle& style) {
  if (style.json) {
    return classifier_json(query, changed, report, style);
  }
  std::string text = fmt::format(
      "{}, protocol {}{}: {} epochs on {} images of {} classes ({} of each), "
      "{}",
      trainer::to_string(query.protocol.kind),
      query.protocol.name,
      changed.empty() ? ""
                      : fmt::format(" but for {}", fmt::join(changed, ", ")),
      query.protocol.epochs,
      report.train_images,
      report.classes.size(),
      per_class(report),
      query.cached ? "cached centre crops" : classifier_augmentation(query));
  for (std::size_t i = 0; i < report.heads.size(); ++i) {
    const daemon::HeadResult& result = report.heads[i];
    text += fmt::format(
        "\n  {:<16} {:>6} features   {:6.2f} ± {:.2f} %{}",
        result.head.name,
        result.head.features,
        result.test.top1,
        result.test.standard_error,
        i == report.best && report.heads.size() > 1 ? "   best" : "");
  }
  text += fmt::format(
      "\n  {:<33}  {:6.2f} ± {:.2f} %   (kNN, bank of {})\n{} test images; "
      "loss of the last epoch {:.3f}",
      "raw pixels",
      report.pixels.top1,
      report.pixels.standard_error,
      report.pixels_bank,
      report.truth.size(),
      report.loss);
  if (style.confusion) {
    text += "\n" + daemon::to_text(daemon::confusion_table(
                       report.classes,
                       report.truth,
                       report.heads[report.best].test.predicted));
  }
  return text;
}

}  // namespace swavd::bin
