/* dataset.c - datasets of every kind: finding their files, cutting them into training, validation
 * and test images, batches.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/file.h"
#include "mho/model/dataset.h"

#define NO_LIMIT 1e15 /* how many images there are is known only when they are read */

static const mho_param table[] = {
    MHO_P_TEXT(
        mho_dataset_config, path, "path", "",
        "folder of the files, of a table or events a file or folder; empty: $MHO_DATA/<name>, then "
        "~/.cache/mho/<name>"),
    MHO_P_INT(mho_dataset_config, train, "train", 0, 0, NO_LIMIT,
              "train on the first so many images; 0: all"),
    MHO_P_INT(mho_dataset_config, test, "test", 0, 0, NO_LIMIT,
              "test on the first so many images; 0: all. Of one table: on the last so many rows; "
              "0: a fifth"),
    MHO_P_INT(mho_dataset_config, validation, "validation", 0, 0, NO_LIMIT,
              "hold out so many images from the end of the training images"),
    MHO_P_CHOICE(
        mho_dataset_config, normalize, "normalize", "none|channels|columns", MHO_NORMALIZE_NONE,
        "channels: take away the mean of each colour, divide by its spread (cifar10, mnist); "
        "columns: the same of each column of a table, values too, by its training rows"),
    MHO_P_INT(mho_dataset_config, crop, "crop", 0, 0, 1024,
              "training images are shifted at random by up to so many pixels each way, "
              "new in every epoch"),
    MHO_P_BOOL(mho_dataset_config, flip, "flip", false,
               "training images are mirrored left to right at random, new in every epoch"),
};
const mho_params mho_dataset_params = MHO_PARAMS(mho_dataset_config, table);

/* ---------------------------------------------------------------- finding */

enum { PLACES = 2 };

/* List the folders to look at, in order. */
static int list_places(const mho_dataset_kind *kind, const char *path,
                       char place[PLACES][MHO_DATA_PATH]) {
  int n = 0;
  if (path && *path) {
    snprintf(place[0], MHO_DATA_PATH, "%s", path);
    return 1;
  }

  const char *shared = getenv("MHO_DATA");
  if (shared && *shared) {
    snprintf(place[0], MHO_DATA_PATH, "%s/%s", shared, kind->entry.id);
    n = 1;
  }
  if (mho__data_home(kind->entry.id, place[n], MHO_DATA_PATH))
    n++;
  return n;
}

/* The first file that the folder lacks, or NULL. */
static const char *missing_file(const mho_dataset_kind *kind, const char *folder) {
  char path[MHO_DATA_PATH];
  for (int i = 0; i < kind->n_files; i++)
    if (!mho__data_find(folder, kind->files[i].name, path, sizeof path))
      return kind->files[i].name;
  return NULL;
}

void mho_dataset_locate(const mho_dataset_kind *kind, const char *path, char *folder,
                        size_t capacity) {
  char place[PLACES][MHO_DATA_PATH];
  snprintf(folder, capacity, "%s", "");

  int n = kind->n_files ? list_places(kind, path, place) : 0;
  for (int i = 0; i < n; i++)
    if (!missing_file(kind, place[i]) && strlen(place[i]) < capacity) {
      strcpy(folder, place[i]);
      return;
    }
}

/* Say what each folder lacks. */
static void explain(const mho_dataset_kind *kind, const char *path, char why[MHO_MESSAGE_MAX]) {
  char place[PLACES][MHO_DATA_PATH];
  int n = list_places(kind, path, place);
  snprintf(why, MHO_MESSAGE_MAX, "%s", n ? "" : "HOME is not set");

  for (int i = 0; i < n; i++) {
    const char *lacks = missing_file(kind, place[i]);
    mho_text_append(why, MHO_MESSAGE_MAX, "%s%s ", i ? ", " : "", place[i]);
    if (access(place[i], F_OK))
      mho_text_append(why, MHO_MESSAGE_MAX, "does not exist");
    else
      mho_text_append(why, MHO_MESSAGE_MAX, "lacks %s[.gz]", lacks ? lacks : "nothing");
  }
}

/* The cure comes before the folders, so that long paths cannot push it out of the message. */
static mho_err not_found(const mho_dataset_kind *kind, const char *path, mho_errinfo *ei) {
  const char *id = kind->entry.id;
  char why[MHO_MESSAGE_MAX], cure[256];

  if (!kind->files[0].url)
    snprintf(cure, sizeof cure, "set dataset.path to the folder of its files");
  else if (path && *path)
    snprintf(cure, sizeof cure, "correct dataset.path, or leave it out and run 'mho data fetch %s'",
             id);
  else
    snprintf(cure, sizeof cure, "run 'mho data fetch %s', or set dataset.path", id);

  explain(kind, path, why);
  return mho_fail(ei, MHO_ENOTFOUND, "dataset %s was not found: %s (%s)", id, cure, why);
}

/* ---------------------------------------------------------------- loading */

static const uint8_t *pixels_of(const mho_dataset *d, const mho_images *images, int image) {
  return images->pixel + (size_t)image * (size_t)d->features;
}

/* Samples first .. first+n-1 of a part. */
static mho_images part_from(const mho_dataset *d, const mho_images *of, int first, int n) {
  size_t row = (size_t)first, features = (size_t)d->features, values = (size_t)d->values;
  return (mho_images){.n = n,
                      .pixel = of->pixel ? of->pixel + row * features : NULL,
                      .label = of->label ? of->label + row : NULL,
                      .x = of->x ? of->x + row * features : NULL,
                      .target = of->target ? of->target + row * values : NULL,
                      .event = of->event,
                      .first = of->first ? of->first + row : NULL};
}

/* Keep the first so many images; 0: all. */
static mho_err limit(const char *id, const char *key, int64_t wanted, mho_images *images,
                     mho_errinfo *ei) {
  if (wanted < 0 || wanted > images->n)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.%s: %lld images of %s are asked for, there are %d (0 takes all)", key,
                    (long long)wanted, id, images->n);
  if (wanted)
    images->n = (int)wanted;
  return MHO_OK;
}

/* The test part of samples that have none: the last so many, 0: a fifth. */
static mho_err split(const char *id, int64_t wanted, mho_dataset *d, mho_errinfo *ei) {
  int all = d->train.n, n = (int)wanted;
  if (d->test.n)
    return MHO_OK;
  if (all < 2)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.test: %s has one sample, and needs one to train on and one to test",
                    id);
  if (wanted == 0)
    n = (all + 4) / 5;
  if (wanted < 0 || wanted >= all || n >= all)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.test: %lld of %d samples of %s cannot be kept for testing, at least "
                    "one must train",
                    (long long)wanted, all, id);

  d->train.n -= n;
  d->test = part_from(d, &d->train, d->train.n, n);
  return MHO_OK;
}

/* Keep the images that the config asks for, and take those for validation off the training
 * images. */
static mho_err cut(const char *id, const mho_dataset_config *config, mho_dataset *d,
                   mho_errinfo *ei) {
  mho_err err = split(id, config->test, d, ei);
  if (!err)
    err = limit(id, "train", config->train, &d->train, ei);
  if (!err)
    err = limit(id, "test", config->test, &d->test, ei);
  if (err)
    return err;

  if (config->validation < 0 || (config->validation && config->validation >= d->train.n))
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.validation: %lld of %d training images of %s cannot be held out, "
                    "at least one must train",
                    (long long)config->validation, d->train.n, id);

  int n = (int)config->validation;
  d->train.n -= n;
  d->validation = part_from(d, &d->train, d->train.n, n);
  return MHO_OK;
}

/* Mean and spread of each of n columns of a part. */
static mho_err find_moments(const char *what, const double *v, int rows, int n, double *mean,
                            double *spread, mho_errinfo *ei) {
  for (int j = 0; j < n; j++) {
    double sum = 0, squares = 0;
    for (int i = 0; i < rows; i++)
      sum += v[(size_t)i * (size_t)n + (size_t)j];
    mean[j] = sum / rows;

    for (int i = 0; i < rows; i++) {
      double from_mean = v[(size_t)i * (size_t)n + (size_t)j] - mean[j];
      squares += from_mean * from_mean;
    }
    spread[j] = squares == 0 ? 1 : sqrt(squares / rows);
    if (!isfinite(spread[j]))
      return mho_fail(ei, MHO_EDATA,
                      "dataset.normalize: %s %d has numbers too large for a mean and a spread: use "
                      "none",
                      what, j + 1);
  }
  return MHO_OK;
}

mho_err mho_dataset_normalize_columns(mho_dataset *d, mho_errinfo *ei) {
  if (!d->train.x)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.normalize: columns is for tables of numbers, and these are images");
  if (d->feature_mean || d->value_mean)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.normalize: columns: the data have means and spreads already");

  size_t features = (size_t)d->features, values = (size_t)d->values;
  double *at = mho_alloc(2 * (features + values), sizeof *at);
  if (!at)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the scales of a table");

  d->scales = at;
  mho_err err = find_moments("feature", d->train.x, d->train.n, d->features, at, at + features, ei);
  d->feature_mean = at;
  d->feature_spread = at + features;
  if (!err && d->values) {
    at += 2 * features;
    d->value_mean = at;
    d->value_spread = at + values;
    err = find_moments("target", d->train.target, d->train.n, d->values, at, at + values, ei);
  }
  return err;
}

static mho_err normalize(const char *id, const mho_dataset_config *config, mho_dataset *d,
                         mho_errinfo *ei) {
  if (config->normalize == MHO_NORMALIZE_COLUMNS)
    return mho_dataset_normalize_columns(d, ei);

  d->normalized = config->normalize == MHO_NORMALIZE_CHANNELS;
  if (d->normalized && !(d->spread[0] > 0))
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.normalize: channels is not for %s, "
                    "whose mean and spread are not published",
                    id);
  return MHO_OK;
}

mho_err mho_dataset_load(const mho_dataset_kind *kind, const void *params,
                         const mho_dataset_config *config, mho_dataset *out, mho_errinfo *ei) {
  char folder[MHO_DATA_PATH];
  *out = (mho_dataset){0};
  mho_dataset_locate(kind, config->path, folder, sizeof folder);
  if (kind->n_files && !*folder)
    return not_found(kind, config->path, ei);

  const char *place = kind->n_files ? folder : NULL;
  if (kind->takes_path)
    place = config->path;
  mho_err err = kind->load(kind, params, place, out, ei);
  if (!err)
    err = cut(kind->entry.id, config, out, ei);
  if (!err)
    err = normalize(kind->entry.id, config, out, ei);
  if (err)
    mho_dataset_free(out);
  return err;
}

void mho_dataset_free(mho_dataset *d) {
  if (!d)
    return;
  mho_free(d->memory);
  mho_free(d->scales);
  *d = (mho_dataset){0};
}

/* ---------------------------------------------------------------- batches */

static void convert(size_t n, const uint8_t *restrict pixel, mho_real scale,
                    mho_real *restrict out) {
#pragma omp simd
  for (size_t i = 0; i < n; i++)
    out[i] = (mho_real)pixel[i] * scale;
}

static void convert_channels(const mho_dataset *d, const uint8_t *restrict pixel,
                             mho_real *restrict out) {
  size_t plane = (size_t)(d->features / d->channels);
  for (int c = 0; c < d->channels; c++) {
    mho_real gain = (mho_real)(d->scale / d->spread[c]);
    mho_real shift = (mho_real)(-d->mean[c] / d->spread[c]);
#pragma omp simd
    for (size_t i = 0; i < plane; i++)
      out[i] = (mho_real)pixel[i] * gain + shift;

    pixel += plane;
    out += plane;
  }
}

/* out = (v - mean)/spread of n numbers, or v as they are. */
static void standardize(int n, const double *v, const double *mean, const double *spread,
                        mho_real *out) {
  for (int i = 0; i < n; i++)
    out[i] = (mho_real)(mean ? (v[i] - mean[i]) / spread[i] : v[i]);
}

void mho_images_values(const mho_dataset *d, const mho_images *images, const int *index, int first,
                       int n, mho_real *out) {
  size_t values = (size_t)d->values;
  for (int i = 0; i < n; i++) {
    size_t row = (size_t)(index ? index[i] : first + i);
    standardize(d->values, images->target + row * values, d->value_mean, d->value_spread,
                out + (size_t)i * values);
  }
}

/* How many spikes each unit has. */
static void count(int features, mho_events spikes, mho_real *out) {
  memset(out, 0, (size_t)features * sizeof *out);
  for (int k = 0; k < spikes.n; k++)
    out[spikes.event[k].unit]++;
}

/* Inputs of one sample of a part. */
static void convert_sample(const mho_dataset *d, const mho_images *images, int sample,
                           mho_real *out) {
  size_t features = (size_t)d->features;
  if (images->first)
    count(d->features, mho_images_events(images, sample), out);
  else if (images->x)
    standardize(d->features, images->x + (size_t)sample * features, d->feature_mean,
                d->feature_spread, out);
  else if (d->normalized)
    convert_channels(d, pixels_of(d, images, sample), out);
  else
    convert(features, pixels_of(d, images, sample), (mho_real)d->scale, out);
}

void mho_images_batch(const mho_dataset *d, const mho_images *images, const int *index, int first,
                      int n, mho_real *out, uint8_t *label_out) {
  size_t features = (size_t)d->features;
  mho_real scale = (mho_real)d->scale;

  /* images that lie one after another are one run of pixels */
  if (!index && !d->normalized && images->pixel) {
    convert((size_t)n * features, pixels_of(d, images, first), scale, out);
    if (label_out)
      memcpy(label_out, images->label + first, (size_t)n);
    return;
  }

  for (int i = 0; i < n; i++) {
    int image = index ? index[i] : first + i;
    convert_sample(d, images, image, out + (size_t)i * features);
    if (label_out)
      label_out[i] = images->label[image];
  }
}

/* Convert an image with its pixel (y + dy, x + dx) at (y, x), mirrored or not; black where there is
 * none. */
static void convert_moved(const mho_dataset *d, const uint8_t *pixel, int dy, int dx, bool mirror,
                          mho_real *out) {
  for (int c = 0; c < d->channels; c++) {
    mho_real gain = (mho_real)(d->normalized ? d->scale / d->spread[c] : d->scale);
    mho_real shift = (mho_real)(d->normalized ? -d->mean[c] / d->spread[c] : 0);

    for (int y = 0; y < d->height; y++)
      for (int x = 0; x < d->width; x++) {
        int sy = y + dy, sx = (mirror ? d->width - 1 - x : x) + dx;
        bool inside = sy >= 0 && sy < d->height && sx >= 0 && sx < d->width;
        *out = (mho_real)(inside ? pixel[sy * d->width + sx] : 0) * gain + shift;
        out++;
      }
    pixel += d->height * d->width;
  }
}

void mho_images_augmented(const mho_dataset *d, const mho_images *images, const int *index, int n,
                          const mho_dataset_config *config, mho_rng rng, int epoch, mho_real *out,
                          uint8_t *label_out) {
  size_t features = (size_t)d->features;
  uint32_t span = 2 * (uint32_t)config->crop + 1;
  int crop = (int)config->crop;
  for (int i = 0; i < n; i++) {
    uint32_t u[3];
    mho_rng_u32(rng, (uint64_t)epoch, 3 * (uint64_t)index[i], 3, u);
    int dy = (int)(u[0] % span) - crop;
    int dx = (int)(u[1] % span) - crop;
    bool mirror = config->flip && (u[2] & 1);

    convert_moved(d, pixels_of(d, images, index[i]), dy, dx, mirror, out + (size_t)i * features);
    if (label_out)
      label_out[i] = images->label[index[i]];
  }
}
