#include "ops/daemon/demo.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "ingest/crawler.h"
#include "ingest/streams.h"
#include "ops/base/clock.h"
#include "ops/base/files.h"
#include "ops/base/log.h"
#include "ops/base/stage.h"
#include "ops/daemon/control.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/evaluate.h"
#include "ops/daemon/evaluate_knn.h"
#include "ops/daemon/gallery.h"
#include "ops/service/config.h"
#include "ops/service/demo_web.h"
#include "ops/service/lifecycle.h"
#include "ops/service/log_config.h"

namespace swavd::daemon {

namespace {

using std::chrono::milliseconds;

/// Enough to learn from and done in a few minutes on two cores.
constexpr std::uint64_t kDemoImages = 40'000;
/// How far the crawler may run ahead of the last snapshot, records: several
/// times what is trained between two, or both would wait for each other.
constexpr std::uint64_t kMaxAhead = 12'000;
/// Images that the evaluation before and after looks at.
constexpr std::uint64_t kEvalImages = 1'000;
// One is right in a few images of a hundred: too few to compare two models by.
constexpr std::int32_t kViewRounds = 5;
constexpr std::uint32_t kEveryFifth = 5;
constexpr double kSignificant = 0.01;

void say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

Result<std::string> pictures(const DemoOptions& options) {
  std::error_code error;
  if (!options.images.empty()) {
    return options.images;
  }
  if (std::filesystem::exists(kDemoPictures, error)) {
    return std::string(kDemoPictures);
  }
  return Error{
      ErrorCode::kNotFound,
      fmt::format(
          "{} is not there: install the Debian package "
          "tuxpaint-stamps-default (`make demo` does), or name your own "
          "pictures with --images FOLDER",
          kDemoPictures)};
}

Result<service::Config> demo_config(
    const DemoOptions& options,
    const std::string& data_dir) {
  service::ConfigSources sources;
  sources.overrides = {
      "run=\"demo\"",
      fmt::format("data_dir=\"{}\"", data_dir),
      fmt::format("model.preset=\"{}\"", options.preset),
      fmt::format("stream.url=\"log://{}/stream/images\"", data_dir),
      fmt::format("stream.max_ahead_records={}", kMaxAhead),
      "snapshot.every=\"20s\"",
      fmt::format("object_store.url=\"file://{}/models\"", data_dir),
      fmt::format("http.listen=\"{}\"", options.listen),
      "log.level=\"warning\""};
  service::LoadedConfig loaded = service::load_config(sources);
  if (!loaded.mistakes.empty()) {
    return Error{ErrorCode::kConfig, service::format_mistakes(loaded.mistakes)};
  }
  return loaded.config;
}

/// The loopback web and the crawler that fetches it into the stream.
class DemoCrawl {
 public:
  static Result<std::unique_ptr<DemoCrawl>> start(
      const std::string& images,
      const service::Config& config) {
    auto crawl = std::unique_ptr<DemoCrawl>(new DemoCrawl());
    service::DemoWebOptions web;
    web.images = images;
    web.pictures_only = true;
    auto served = service::start_demo_web(web);
    if (!served.ok()) {
      return served.error();
    }
    crawl->web_ = std::move(served).value();
    SWAVD_RETURN_IF_ERROR(crawl->open_stream(config));
    SWAVD_RETURN_IF_ERROR(crawl->write_list(config));
    SWAVD_RETURN_IF_ERROR(crawl->start_crawler(config));
    return crawl;
  }

  [[nodiscard]] std::uint64_t images() const { return web_->images(); }

  [[nodiscard]] std::uint64_t published() const {
    return crawler_->stats().published;
  }

  /// Ends the crawl and waits for it.
  Status stop() {
    sink_->close();
    thread_.reset();
    return status_;
  }

 private:
  DemoCrawl() = default;

  Status open_stream(const service::Config& config) {
    auto url = ingest::parse_stream_url(config.stream.url);
    if (!url.ok()) {
      return url.error();
    }
    ingest::SinkOptions options;
    options.max_ahead_records = config.stream.max_ahead_records;
    options.partitions = 4;
    // Consumed images need not stay: a demo must not fill the disk.
    options.retention_bytes = 2ULL << 30U;
    auto sink = ingest::open_sink(url.value(), options);
    if (!sink.ok()) {
      return sink.error();
    }
    sink_ = std::move(sink).value();
    return ok_status();
  }

  Status write_list(const service::Config& config) {
    list_ = config.data_dir + "/urls.txt";
    constexpr std::uint64_t kUrls = 200'000;  // read in a circle
    const auto seed = static_cast<std::uint64_t>(clock_.unix_ms());
    auto written = web_->write_url_list(list_, kUrls, seed);
    if (!written.ok()) {
      return written.error();
    }
    return ok_status();
  }

  Status start_crawler(const service::Config& config) {
    ingest::CrawlOptions options;
    options.user_agent =
        fmt::format("swavd-demo/{} (+http://127.0.0.1/)", version());
    options.lists = {list_};
    options.repeat = true;
    options.seed = config.model.seed;
    options.per_host_delay = milliseconds(25);
    options.allowed_ports = {web_->port()};
    options.allow_networks = {"127.0.0.0/8"};
    options.max_inflight = 8;
    auto made = ingest::Crawler::create(options, *sink_, clock_);
    if (!made.ok()) {
      return made.error();
    }
    crawler_ = std::move(made).value();
    thread_ = std::make_unique<Stage>("crawl", [this](std::stop_token stop) {
      const auto summary = crawler_->run(stop);
      if (!summary.ok() && summary.error().code != ErrorCode::kCancelled) {
        status_ = summary.error();
        log(LogLevel::kError,
            to_string(summary.error().code),
            "the demo's crawler stopped: " + summary.error().message);
      }
    });
    return ok_status();
  }

  SystemClock clock_;
  std::unique_ptr<service::DemoWeb> web_;
  std::unique_ptr<ingest::Sink> sink_;
  std::string list_;
  std::unique_ptr<ingest::Crawler> crawler_;
  Status status_ = ok_status();  // written before the thread is joined
  std::unique_ptr<Stage> thread_;
};

/// The progress line: rewritten in place on a terminal, else every ten seconds.
class ProgressLine {
 public:
  void show(const Progress& progress) {
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    constexpr int kEvery = 10;
    if (progress.images == 0 || (!terminal && calls_++ % kEvery != 0)) {
      return;
    }
    const std::string line = fmt::format(
        "  {:>7} images  {:>5.0f} images/s  loss {:.3f} (ln K {:.3f})  "
        "prototypes {}/{}  rate {:.3g}",
        progress.images,
        progress.images_per_second,
        progress.loss,
        progress.ln_k,
        progress.prototypes_used,
        progress.prototypes,
        progress.learning_rate);
    std::fputs(terminal ? ("\r\033[K" + line).c_str() : line.c_str(), stdout);
    std::fputs(terminal ? "" : "\n", stdout);
    std::fflush(stdout);
    open_ = terminal;
  }

  /// Ends a line that was being rewritten.
  void end() {
    if (std::exchange(open_, false)) {
      std::fputc('\n', stdout);
    }
  }

 private:
  int calls_ = 0;
  bool open_ = false;
};

/// The figures of one evaluation.
struct Figures {
  ViewsReport views;
  std::optional<KnnReport> knn;  ///< none: the images have no labels
};

class Demo {
 public:
  explicit Demo(const DemoOptions& options) : options_(options) {}

  Status run();

 private:
  Status prepare();
  Result<Figures> evaluate(trainer::Trainer& trainer);
  Status before(trainer::Trainer& trainer);
  Status after(trainer::Trainer& trainer);
  void print_table() const;
  void print_end() const;

  DemoOptions options_;
  std::string images_;
  std::string data_dir_;
  service::Config config_;
  std::string snapshot_id_;
  Figures before_;
  Figures after_;
  std::vector<std::string> galleries_;  ///< a picture for each set
  ProgressLine line_;
};

Status Demo::prepare() {
  auto images = pictures(options_);
  if (!images.ok()) {
    return images.error();
  }
  std::error_code error;
  images_ = std::filesystem::absolute(images.value(), error).string();
  data_dir_ = std::filesystem::absolute(options_.data_dir, error).string();
  if (options_.fresh) {
    std::filesystem::remove_all(data_dir_, error);
    if (error) {
      return errno_error(error.value(), "remove", data_dir_);
    }
  }
  SWAVD_RETURN_IF_ERROR(make_folders(data_dir_));
  auto config = demo_config(options_, data_dir_);
  if (!config.ok()) {
    return config.error();
  }
  config_ = std::move(config).value();
  service::apply_log_config(config_);
  return ok_status();
}

Result<Figures> Demo::evaluate(trainer::Trainer& trainer) {
  Figures figures;
  auto views =
      eval_views(trainer, config_, images_, kEvalImages, kViewRounds, {});
  if (!views.ok()) {
    return views.error();
  }
  figures.views = std::move(views).value();
  KnnQuery query;
  query.train = images_;
  query.test = options_.test;
  query.every = options_.test.empty() ? kEveryFifth : 0;
  query.bank = 10'000;
  query.queries = 2'000;
  auto knn = eval_knn(trainer, config_, query, {});
  if (knn.ok() && knn.value().classes > 1) {
    figures.knn = knn.value();
  }
  return figures;
}

Status Demo::before(trainer::Trainer& trainer) {
  auto figures = evaluate(trainer);
  if (!figures.ok()) {
    return figures.error();
  }
  before_ = std::move(figures).value();
  say(fmt::format(
      "before step {}: view retrieval {:.1f} %",
      trainer.steps() + 1,
      before_.views.top1));
  return ok_status();
}

Status Demo::after(trainer::Trainer& trainer) {
  line_.end();
  auto figures = evaluate(trainer);
  if (!figures.ok()) {
    return figures.error();
  }
  after_ = std::move(figures).value();
  auto pictures = write_galleries(trainer, config_, images_, data_dir_, {});
  if (!pictures.ok()) {
    return pictures.error();
  }
  galleries_ = std::move(pictures).value();
  return ok_status();
}

void Demo::print_table() const {
  const double p = trainer::paired_p(before_.views.hits, after_.views.hits);
  say("");
  say("                        before            after");
  say(fmt::format(
      "  view retrieval   {:5.1f} ± {:.1f} %    {:5.1f} ± {:.1f} %   {} "
      "(paired p = {:.2g}, {} images, {} rounds)",
      before_.views.top1,
      before_.views.standard_error,
      after_.views.top1,
      after_.views.standard_error,
      p < kSignificant ? "risen" : "not clearly risen",
      p,
      after_.views.hits.size(),
      after_.views.rounds));
  if (before_.knn && after_.knn) {
    say(fmt::format(
        "  kNN accuracy     {:5.1f} ± {:.1f} %    {:5.1f} ± {:.1f} %   ({} "
        "queries, {} classes; raw pixels {:.1f} %)",
        before_.knn->model.top1,
        before_.knn->model.standard_error,
        after_.knn->model.top1,
        after_.knn->model.standard_error,
        after_.knn->model.queries,
        after_.knn->classes,
        after_.knn->pixels.top1));
  }
}

void Demo::print_end() const {
  say("");
  for (std::size_t set = 0; set < galleries_.size(); ++set) {
    const bool several = galleries_.size() > 1;
    say(fmt::format(
        "  gallery    {}{}",
        galleries_[set],
        several
            ? fmt::format(
                  "   (prototypes of set {} of {})", set + 1, galleries_.size())
            : ""));
  }
  say("  snapshot   " + data_dir_ + "@" + snapshot_id_);
  say("");
  say("Load it in Python (pip install transformers torch):");
  say("");
  say(fmt::format(
      "  swavctl snapshots pull {} {}/model", data_dir_, options_.data_dir));
  say("  >>> from transformers import AutoModel");
  say(fmt::format(
      "  >>> model = AutoModel.from_pretrained(\"{}/model\")",
      options_.data_dir));
}

Status Demo::run() {
  SWAVD_RETURN_IF_ERROR(prepare());
  Control control;
  // Before any other thread: signals are blocked in all of them.
  const service::Signals signals([&control](service::Request request) {
    if (request == service::Request::kDrain) {
      control.drain();
    } else if (request == service::Request::kQuit) {
      control.quit();
    }
  });
  auto crawl = DemoCrawl::start(images_, config_);
  if (!crawl.ok()) {
    return crawl.error();
  }
  say(fmt::format(
      "swavd demo: {} pictures of {}, crawled from a web on loopback\n"
      "page: http://{}/   data: {}",
      crawl.value()->images(),
      images_,
      options_.listen,
      data_dir_));
  DaemonOptions daemon;
  daemon.handle_signals = false;
  daemon.stop_after_images =
      options_.stop_after_images > 0 ? options_.stop_after_images : kDemoImages;
  daemon.on_progress = [this](const Progress& progress) {
    snapshot_id_ = progress.snapshot_id;
    line_.show(progress);
  };
  daemon.before_training = [this](trainer::Trainer& t) { return before(t); };
  daemon.after_training = [this](trainer::Trainer& t) { return after(t); };
  daemon.on_drained = [this](const std::string& id) { snapshot_id_ = id; };
  SWAVD_RETURN_IF_ERROR(run_daemon(config_, daemon, control));
  SWAVD_RETURN_IF_ERROR(crawl.value()->stop());
  print_table();
  print_end();
  return ok_status();
}

}  // namespace

Status run_demo(const DemoOptions& options) {
  return Demo(options).run();
}

}  // namespace swavd::daemon
