/* dataset.h - datasets that are found by name: their files, and how they are read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_DATASET_H
#define MHO_MODEL_DATASET_H

#include "mho/data.h"
#include "mho/model/entry.h"

/** What the config says of any dataset. */
typedef struct mho_dataset_config {
  /** Folder of the files, of a table or events a file or folder; empty: $MHO_DATA/<name>, then
   *  ~/.cache/mho/<name>. */
  char path[MHO_TEXT_MAX];
  /** Use only the first so many samples; 0: all. Of a table without a test part test is how many of
   *  the last rows are one; 0: a fifth. */
  int64_t train, test;
  int64_t validation; /**< hold out so many from the end of the training images used */
  int normalize;      /**< none, channels, columns */
  int64_t crop;       /**< largest shift of a training image, pixels */
  bool flip;          /**< training images may be mirrored */
} mho_dataset_config;
enum { MHO_NORMALIZE_NONE, MHO_NORMALIZE_CHANNELS, MHO_NORMALIZE_COLUMNS };
/** The keys of mho_dataset_config. */
MHO_API extern const mho_params mho_dataset_params;

/** A file a dataset is made of; it may lie gzipped (name.gz) or plain. */
typedef struct mho_data_file {
  const char *name;   /**< "train-images-idx3-ubyte" */
  const char *sha256; /**< of the unpacked file, hex; NULL: not checked */
  /** https address of the gzipped file, or, ending in .tar.gz, of an archive that holds it in any
   *  folder; NULL: none (then of all files) */
  const char *url;
} mho_data_file;

/** A registered dataset: its files and how they are read. */
typedef struct mho_dataset_kind {
  mho_entry entry;
  const mho_data_file *files; /**< nullable: embedded */
  int n_files;
  /** It reads what dataset.path names, a file or a folder, whatever that holds. */
  bool takes_path;
  bool events; /**< its samples are spikes (mho_images.event) */
  /** Fill the samples (train and test whole, no validation; test empty: it is cut from train),
   *  sizes, scale, checksum and memory; mean and spread where there are any.
   *  @param params  of the kind.
   *  @param folder  where the files are, NULL when there are none; dataset.path as it is, perhaps
   *                 "", with takes_path. */
  mho_err (*load)(const struct mho_dataset_kind *kind, const void *params, const char *folder,
                  mho_dataset *out, mho_errinfo *ei);
  /** Whether targets are values, with these parameters of the kind; nullable: classes. */
  bool (*has_values)(const void *params);
} mho_dataset_kind;

/** Find the files, load, check, and cut and normalize as the config says.
 *  @param params  of the kind; NULL where it has none.
 *  @return MHO_OK; MHO_ENOTFOUND when no place holds the files (the message lists the places looked
 *          at and the cure: mho data fetch); MHO_EDATA for a truncated file, a wrong magic number,
 *          a wrong checksum, counts that do not agree; MHO_EIO for a file that cannot be read;
 *          MHO_ECONFIG when more images are asked for than there are, or a normalization that it
 *          has not. On failure *out is empty. */
MHO_API mho_err mho_dataset_load(const mho_dataset_kind *kind, const void *params,
                                 const mho_dataset_config *config, mho_dataset *out,
                                 mho_errinfo *ei);

/** The inputs of mho_images_batch, each image shifted by up to `crop` pixels up or down and left or
 *  right (a random crop of the image with a black border), and with `flip` mirrored left to right
 *  half of the time. What happens to an image follows from its number in the part and the epoch
 *  alone. Samples with x, and spikes, have no pixels to shift.
 *  @param rng  stream of these draws. */
MHO_API void mho_images_augmented(const mho_dataset *d, const mho_images *images, const int *index,
                                  int n, const mho_dataset_config *config, mho_rng rng, int epoch,
                                  mho_real *out, uint8_t *label_out);

#endif
