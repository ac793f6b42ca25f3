#include "tests/trainer/model/published_models.h"

#include <utility>

namespace swavd::trainer {

namespace {

struct Generator {
  std::int32_t depth = 0;
  std::int32_t w0 = 0;
  double wa = 0;
  double wm = 0;
  std::int32_t group_width = 0;
};

RegNetOptions regnet(const Generator& from, RegNetType type) {
  RegNetOptions options;
  options.depth = from.depth;
  options.w0 = from.w0;
  options.wa = from.wa;
  options.wm = from.wm;
  options.group_width = from.group_width;
  options.type = type;
  return options;
}

RegNetOptions y(const Generator& from) {
  return regnet(from, RegNetType::kY);
}

RegNetOptions x(const Generator& from) {
  return regnet(from, RegNetType::kX);
}

constexpr Generator kY8GF{17, 192, 76.82, 2.19, 56};
constexpr Generator kY16GF{18, 200, 106.23, 2.48, 112};
constexpr Generator kY32GF{20, 232, 115.89, 2.53, 232};
constexpr Generator kY64GF{20, 352, 147.48, 2.4, 328};
constexpr Generator kY128GF{27, 456, 160.83, 2.52, 264};
constexpr Generator kY256GF{27, 640, 230.83, 2.53, 373};
constexpr Generator kY10B{27, 1744, 620.83, 2.52, 1010};

ResNetOptions basic(std::vector<std::int64_t> depths) {
  ResNetOptions options;
  options.block = ResNetBlock::kBasic;
  options.depths = std::move(depths);
  return options;
}

ResNetOptions wide(std::int64_t widen) {
  ResNetOptions options;
  options.widen = widen;
  return options;
}

ResNetOptions bottleneck(
    std::vector<std::int64_t> depths,
    std::int64_t groups = 1,
    std::int64_t width_per_group = 64) {
  ResNetOptions options;
  options.depths = std::move(depths);
  options.groups = groups;
  options.width_per_group = width_per_group;
  return options;
}

ResNetOptions small_pictures(ResNetOptions options) {
  options.stem = ResNetStem::kCifar;
  return options;
}

HeadOptions head(
    std::vector<std::int64_t> hidden,
    std::int64_t out,
    bool batch_norm,
    std::int64_t prototypes) {
  HeadOptions options;
  options.hidden = std::move(hidden);
  options.out = out;
  options.batch_norm = batch_norm;
  options.prototypes = {prototypes};
  return options;
}

}  // namespace

// Where torchvision builds the same widths, the totals with a classifier are
// its `num_params`; timm's cards agree for the others.
std::vector<PublishedTrunk> published_regnet_y() {
  return {
      {"Y 200MF",
       y({13, 24, 36.44, 2.49, 8}),
       2793996,
       3162996,
       316,
       {4448, 11038, 266128, 2511454}},
      {"Y 400MF",
       y({16, 48, 27.89, 2.09, 8}),
       3903144,
       4344144,
       382,
       {10040, 102296, 737438, 3052442}},
      {"Y 600MF", y({15, 48, 32.54, 2.32, 16}), 5446160, 6055160, 360, {}},
      {"Y 800MF",
       y({14, 56, 38.84, 2.4, 16}),
       5494168,
       6263168,
       338,
       {19016, 177104, 2384592, 2912528}},
      {"Y 1.6GF", y({27, 48, 20.71, 2.65, 24}), 10313430, 11202430, 624, {}},
      {"Y 3.2GF", y({21, 80, 42.63, 2.66, 24}), 17923338, 19436338, 492, {}},
      {"Y 4GF", y({22, 96, 31.41, 2.24, 64}), 19557656, 20646656, 514, {}},
      {"Y 6.4GF", y({25, 112, 33.22, 2.27, 72}), 29286252, 30583252, 580, {}},
      {"Y 8GF",
       y(kY8GF),
       37163068,
       39180068,
       404,
       {284306, 2811130, 24452176, 9614528}},
      {"Y 12GF", y({19, 168, 73.36, 2.37, 112}), 49581544, 51822544, 448, {}},
      {"Y 16GF",
       y(kY16GF),
       80565140,
       83590140,
       426,
       {648768, 3777032, 54604200, 21534212}},
      {"Y 32GF",
       y(kY32GF),
       141333770,
       145046770,
       470,
       {1179554, 13025002, 92647170, 34481116}},
      {"Y 64GF",
       y(kY64GF),
       276457786,
       281378786,
       470,
       {2344634, 26019010, 185111802, 62981412}},
      {"Y 128GF",
       y(kY128GF),
       637419894,
       644812894,
       624,
       {3535628, 36855060, 471090048, 125938230}},
      {"Y 256GF",
       y(kY256GF),
       1272156138,
       1282601138,
       624,
       {7027514, 73537136, 940223342, 251367218}},
      {"Y 10B",
       y(kY10B),
       9323934872,
       9352215872,
       624,
       {51199433, 538825405, 6891322928, 1842586178}},
      {"Y 256GF of ClassyVision",
       y({27, 640, 124.47, 2.04, 848}),
       821051008,
       826140008,
       624,
       {}},
  };
}

// The totals with a classifier are torchvision's, but for 400MF: its last stage
// is 400 wide there.
std::vector<PublishedTrunk> published_regnet_x() {
  return {
      {"X 400MF", x({22, 24, 24.48, 2.54, 16}), 4772512, 5157512, 426, {}},
      {"X 800MF", x({16, 56, 35.73, 2.28, 16}), 6586656, 7259656, 318, {}},
      {"X 1.6GF", x({18, 80, 34.01, 2.25, 24}), 8277136, 9190136, 354, {}},
      {"X 3.2GF", x({25, 88, 26.31, 2.25, 48}), 14287552, 15296552, 480, {}},
      {"X 8GF", x({23, 80, 49.56, 2.88, 120}), 37651648, 39572648, 444, {}},
      {"X 16GF", x({22, 216, 55.59, 2.1, 128}), 52229536, 54278536, 426, {}},
      {"X 32GF", x({23, 320, 69.86, 2.0, 168}), 105290560, 107811560, 444, {}},
  };
}

// The totals with a classifier are torchvision's. Of w2, w4 and w5 94, 375 and
// 586 million are published; all digits follow from SwAV's source, and those of
// the stem for small pictures from the 7680 weights it has less.
std::vector<PublishedTrunk> published_resnets() {
  return {
      {"ResNet-18", basic({2, 2, 2, 2}), 11176512, 11689512, 120, {}},
      {"ResNet-34", basic({3, 4, 6, 3}), 21284672, 21797672, 216, {}},
      {"ResNet-50", bottleneck({3, 4, 6, 3}), 23508032, 25557032, 318, {}},
      {"ResNet-101", bottleneck({3, 4, 23, 3}), 42500160, 44549160, 624, {}},
      {"ResNet-152", bottleneck({3, 8, 36, 3}), 58143808, 60192808, 930, {}},
      {"ResNeXt-50 32x4d",
       bottleneck({3, 4, 6, 3}, 32, 4),
       22979904,
       25028904,
       318,
       {}},
      {"ResNeXt-101 32x8d",
       bottleneck({3, 4, 23, 3}, 32, 8),
       86742336,
       88791336,
       624,
       {}},
      {"ResNeXt-101 64x4d",
       bottleneck({3, 4, 23, 3}, 64, 4),
       81406272,
       83455272,
       624,
       {}},
      {"Wide ResNet-50-2",
       bottleneck({3, 4, 6, 3}, 1, 128),
       66834240,
       68883240,
       318,
       {}},
      {"Wide ResNet-101-2",
       bottleneck({3, 4, 23, 3}, 1, 128),
       124837696,
       126886696,
       624,
       {}},
      {"ResNet-50 w2", wide(2), 93907072, 98004072, 318, {}},
      {"ResNet-50 w4", wide(4), 375378176, 383571176, 318, {}},
      {"ResNet-50 w5", wide(5), 586450240, 596691240, 318, {}},
      {"ResNet-18 for small pictures",
       small_pictures(basic({2, 2, 2, 2})),
       11168832,
       11681832,
       120,
       {}},
  };
}

std::vector<PublishedModel> published_models() {
  const HeadOptions small = head({4096, 4096}, 256, true, 16000);
  const HeadOptions large = head({8192, 8192}, 256, false, 16000);
  return {
      {"SEER 8GF", y(kY8GF), small, 26108160, 30204160, 67367228},
      {"SEER 16GF", y(kY16GF), small, 30236928, 34332928, 114898068},
      {"SEER 32GF", y(kY32GF), small, 33054976, 37150976, 178484746},
      {"SEER 64GF", y(kY64GF), large, 109527296, 113623296, 390081082},
      {"SEER 128GF", y(kY128GF), large, 129777920, 133873920, 771293814},
      {"SEER 256GF", y(kY256GF), large, 154779904, 158875904, 1431032042},
      {"SEER 10B", y(kY10B), large, 300892416, 304988416, 9628923288},
      {"SwAV ResNet-50",
       bottleneck({3, 4, 6, 3}),
       head({2048}, 128, true, 3000),
       4462720,
       4846720,
       28354752},
      // What SEER's list of models calls 91, 156 and 693 million.
      {"SwAV 16GF",
       y(kY16GF),
       head({3024}, 128, false, 3000),
       9534800,
       9918800,
       90483940},
      {"SwAV 32GF",
       y(kY32GF),
       head({3712}, 128, false, 3000),
       14257920,
       14641920,
       155975690},
      {"SwAV 128GF",
       y(kY128GF),
       head({7392}, 128, false, 3000),
       55595360,
       55979360,
       693399254},
  };
}

}  // namespace swavd::trainer
