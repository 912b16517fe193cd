/* data.h - datasets: images with labels, tables of numbers, and spikes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DATA_H
#define MHO_DATA_H

#include "mho/base.h"

/** A kind of datasets that are found by name (mho/model/dataset.h). */
typedef struct mho_dataset_kind mho_dataset_kind;

/** A spike of an input of a sample. */
typedef struct mho_event {
  double time; /**< s since the sample is presented, 0 or more */
  int unit;    /**< the input, from 0 */
} mho_event;
/** All spikes of a sample: those of the first unit in the order of their times, then those of the
 *  next one that has any, ... */
typedef struct mho_events {
  int n;
  const mho_event *event; /**< [n] */
} mho_events;

/** Samples of one part (train, validation or test); a view into memory that the dataset owns. They
 *  are images, rows of a table, or spikes, and have a class or values as their target. */
typedef struct mho_images {
  int n;
  const uint8_t *pixel; /**< [n x features]; NULL: x, or events */
  const uint8_t *label; /**< [n], below classes; NULL: target */
  const double *x;      /**< [n x features], in their own units */
  const double *target; /**< [n x values], in their own units */
  /** Of spikes, in place of pixel and x; units are below features. The sample's own as
   *  mho_events. */
  const mho_event *event;
  const int64_t *first; /**< [n + 1] of event: where each sample's begin; NULL: there are none */
} mho_images;
/** The spikes of a sample; none where the samples are no spikes. */
static inline mho_events mho_images_events(const mho_images *images, int sample) {
  mho_events e = {0, NULL};
  if (images->first) {
    e.n = (int)(images->first[sample + 1] - images->first[sample]);
    e.event = images->event + images->first[sample];
  }
  return e;
}

/** Samples in memory, and how they become inputs of a network and its targets. Set the members by
 *  name: the rest is zero, and not there. */
typedef struct mho_dataset {
  /** Validation is cut from the end of the training images; n may be 0. */
  mho_images train, validation, test;
  /** Targets are one of `classes`, or so many `values`: the other is 0. */
  int features, classes, values;
  int width, height, channels; /**< features = channels * height * width, channel-major */
  double scale;                /**< a network input is pixel * scale */
  /** of each channel's inputs: what is subtracted from them, and what they are then divided by,
   *  when normalized; spread 0: the dataset has no such figures */
  double mean[3], spread[3];
  bool normalized;
  /** Of a table: what is subtracted from a feature or a value, and what it is then divided by, to
   *  become an input or a target of the network, [features] and [values]; NULL: as they are. */
  const double *feature_mean, *feature_spread, *value_mean, *value_spread;
  /** SHA-256, hex: of the files' own ones (hex, unpacked) written one after the other, so that each
   *  file is hashed once; for digits of the images, then the labels */
  char checksum[65];
  void *memory; /**< owned */
  void *scales; /**< owned: feature_mean, feature_spread, value_mean, value_spread; nullable */
  /** Of a table: a hash of its classes' names and their order; 0: they have no names. */
  uint64_t class_names;
} mho_dataset;
/** Numbers that a network answers to it: one a class, or a value. */
static inline int mho_dataset_outputs(const mho_dataset *d) {
  return d->values ? d->values : d->classes;
}
/** Value j in its own unit of what the network answers. */
static inline double mho_dataset_value(const mho_dataset *d, int j, double output) {
  return d->value_mean ? output * d->value_spread[j] + d->value_mean[j] : output;
}

/** Set the means and spreads of a table's columns (dataset.normalize columns), of features and
 *  values, from its training rows alone: population ones; of a column that does not vary the spread
 *  is 1. They are the dataset's.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ECONFIG for images, and where there are some already; MHO_EDATA
 *          for numbers that are too large. */
MHO_API mho_err mho_dataset_normalize_columns(mho_dataset *d, mho_errinfo *ei);
/** Frees the samples; the struct is the caller's. */
MHO_API void mho_dataset_free(mho_dataset *d);

/** Network inputs of a batch: out[i] = pixel[index[i]] * scale, normalized: (that - mean) / spread;
 *  of a table (x - feature_mean)/feature_spread; of spikes, how many each unit has.
 *  @param index  [n], of the images; NULL: first, first + 1, ...
 *  @param out    [n x features]; label_out [n], nullable, and of classes alone. */
MHO_API void mho_images_batch(const mho_dataset *d, const mho_images *images, const int *index,
                              int first, int n, mho_real *out, uint8_t *label_out);

/** Network targets of the same samples of a dataset of values: (target - value_mean)/value_spread.
 *  @param out  [n x values]. */
MHO_API void mho_images_values(const mho_dataset *d, const mho_images *images, const int *index,
                               int first, int n, mho_real *out);

/** The parts that a dataset is cut into. */
typedef enum mho_part { MHO_PART_TRAIN, MHO_PART_VALIDATION, MHO_PART_TEST } mho_part;
/** A part of a dataset, which lives as long as the dataset; it may be empty. */
MHO_API const mho_images *mho_dataset_part(const mho_dataset *d, mho_part part);
/** How many samples a part has. */
MHO_API int mho_images_count(const mho_images *images);
/** How many numbers a sample is made of, and how many the network answers. */
MHO_API void mho_dataset_sizes(const mho_dataset *d, int *features, int *outputs);

/** Where the dataset's files were found: the first of the places mho_dataset_load looks at that
 *  holds them all. "" when nowhere, and for an embedded dataset.
 *  @param path  as in the config, nullable. */
MHO_API void mho_dataset_locate(const mho_dataset_kind *kind, const char *path, char *folder,
                                size_t capacity);

/** Download a dataset's files into a folder, check them, keep only whole ones.
 *
 *  Files already there and right are kept; an embedded dataset is always there. An archive is
 *  unpacked and not kept; one that lies in the folder already is not downloaded and stays. Only
 *  https. The proxy and the certificates of the network are taken from https_proxy, CURL_CA_BUNDLE
 *  and SSL_CERT_FILE.
 *
 *  @param folder  made when missing; NULL or "": ~/.cache/mho/<id>.
 *  @return MHO_OK; MHO_EIO for no connection, an HTTP error, a folder that cannot be written;
 *          MHO_EDATA for a file that is not the published one; MHO_ENOTFOUND for a dataset without
 *          addresses; MHO_EINVAL for an address that is not https; MHO_EINTERRUPTED;
 *          MHO_EUNSUPPORTED when something is to be downloaded and the build has no libcurl. */
MHO_API mho_err mho_dataset_fetch(const mho_context *ctx, const mho_dataset_kind *kind,
                                  const char *folder, mho_errinfo *ei);

#endif
