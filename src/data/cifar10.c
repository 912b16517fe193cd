/* cifar10.c - CIFAR-10, 50000 training and 10000 test photographs of ten kinds of things, 32 x 32
 * pixels.
 *
 * A. Krizhevsky, "Learning multiple layers of features from tiny images", University of Toronto,
 * 2009, in its binary version: a file is images of 3073 bytes one after the other, the label and
 * the red, the green and the blue pixels, row by row. A file says nowhere how many images it holds:
 * any whole number is accepted, and only the checksum tells whether they are all there.
 *
 * The site publishes the MD5 of the archive, c32a1d4ab5d03f1284b67883e8d87530. The SHA-256 below
 * are of the files in it; torchvision-ruby lists the same (github.com/ankane/torchvision-ruby).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "data/file.h"
#include "mho/model/dataset.h"

enum {
  SIDE = 32,
  CHANNELS = 3,
  PIXELS = CHANNELS * SIDE * SIDE,
  RECORD = 1 + PIXELS,
  CLASSES = 10,
  FIRST = 256,          /* the images that there is room for at first */
  IMAGES_MAX = 1 << 20, /* 3 GB; a file that holds more is not of this dataset */
  PICKLE = 0x80         /* the first byte of the Python version's files */
};

/* The images read so far. */
typedef struct images {
  uint8_t *memory; /* [capacity x PIXELS], then [capacity] labels; owned */
  int n, capacity;
} images;

static uint8_t *pixels_of(const images *x, int image) {
  return x->memory + (size_t)image * PIXELS;
}

/* Labels lie behind the pixels of all images that there is room for. */
static uint8_t *labels(const images *x) {
  return pixels_of(x, x->capacity);
}

/* Make room for one more image, if there is none. */
static mho_err make_room(images *x, const mho_data_reader *r, mho_errinfo *ei) {
  if (x->n < x->capacity)
    return MHO_OK;

  if (x->n >= IMAGES_MAX)
    return mho_fail(ei, MHO_EDATA,
                    "%s and the files before it hold more than %d images, which cannot be; %s",
                    r->name, IMAGES_MAX, r->cure);

  images larger = {.n = x->n, .capacity = x->capacity ? 2 * x->capacity : FIRST};
  larger.memory = mho_alloc((size_t)larger.capacity, RECORD);
  if (!larger.memory)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d images of %s", larger.capacity, r->name);

  if (x->n) {
    memcpy(larger.memory, x->memory, (size_t)x->n * PIXELS);
    memcpy(labels(&larger), labels(x), (size_t)x->n);
  }

  mho_free(x->memory);
  *x = larger;
  return MHO_OK;
}

static mho_err wrong_label(const mho_data_reader *r, int label, int image, mho_errinfo *ei) {
  const char *hint = "";
  if (!image && label == '<')
    hint = " (it looks like a web page)";
  else if (!image && label == PICKLE)
    hint = " (it looks like the Python version of the dataset; this is for the binary one)";
  return mho_fail(ei, MHO_EDATA, "%s has the label %d at image %d, with classes 0 to %d%s; %s",
                  r->name, label, image, CLASSES - 1, hint, r->cure);
}

/* Add the images of a file to those that are there. */
static mho_err read_images(mho_data_reader *r, images *x, mho_errinfo *ei) {
  uint8_t record[RECORD];
  int first = x->n;
  for (;;) {
    size_t got;
    mho_err err = mho__data_read(r, record, RECORD, &got, ei);
    if (err)
      return err;

    if (got && record[0] >= CLASSES)
      return wrong_label(r, record[0], x->n - first, ei);
    if (!got && x->n > first)
      return MHO_OK;
    if (got < RECORD)
      return mho_fail(ei, MHO_EDATA,
                      "%s is cut short: it ends %zu bytes into image %d, which are %d; %s", r->name,
                      got, x->n - first, RECORD, r->cure);

    err = make_room(x, r, ei);
    if (err)
      return err;

    memcpy(pixels_of(x, x->n), record + 1, PIXELS);
    labels(x)[x->n] = record[0];
    x->n++;
  }
}

static mho_err read_file(const mho_data_file *file, const char *folder, const char *cure, images *x,
                         char sha256[MHO_DATA_HEX], mho_errinfo *ei) {
  char path[MHO_DATA_PATH];
  if (!mho__data_find(folder, file->name, path, sizeof path))
    return mho_fail(ei, MHO_ENOTFOUND, "%s is neither in %s nor, packed as %s.gz; %s", file->name,
                    folder, file->name, cure);

  mho_data_reader r;
  mho_err err = mho__data_open(&r, path, path, cure, ei);
  if (err)
    return err;

  err = read_images(&r, x, ei);
  mho__data_close(&r, sha256);
  return err ? err : mho__data_compare(file, sha256, path, cure, ei);
}

/* Read all files; the last one is for the test, those before it train. */
static mho_err load(const mho_dataset_kind *kind, const void *params, const char *folder,
                    mho_dataset *out, mho_errinfo *ei) {
  char cure[128], sha256[MHO_DATA_HEX];
  images x = {0};
  int train = 0;
  SHA2_CTX digests;

  mho__data_cure(kind, cure, sizeof cure);
  SHA256Init(&digests);
  for (int i = 0; i < kind->n_files; i++) {
    train = x.n;
    mho_err err = read_file(&kind->files[i], folder, cure, &x, sha256, ei);
    if (err) {
      mho_free(x.memory);
      return err;
    }
    SHA256Update(&digests, (const uint8_t *)sha256, MHO_DATA_HEX - 1);
  }

  /* The mean is that of the training images. The spread is three times the mean of the standard
   * deviations within an image, so that inputs are within -1 to 1. */
  *out = (mho_dataset){.train = {train, x.memory, labels(&x)},
                       .test = {x.n - train, pixels_of(&x, train), labels(&x) + train},
                       .features = PIXELS,
                       .classes = CLASSES,
                       .width = SIDE,
                       .height = SIDE,
                       .channels = CHANNELS,
                       .scale = 1.0 / 255,
                       .mean = {0.4914, 0.4822, 0.4465},
                       .spread = {3 * 0.2023, 3 * 0.1994, 3 * 0.2010},
                       .memory = x.memory};
  SHA256End(&digests, out->checksum);
  return MHO_OK;
}

#define FILE_OF(file, digest)                                                                      \
  {                                                                                                \
    .name = file, .sha256 = digest,                                                                \
    .url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"                               \
  }
static const mho_data_file files[] = {
    FILE_OF("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
    FILE_OF("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
    FILE_OF("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
    FILE_OF("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
    FILE_OF("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    FILE_OF("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
};

const mho_dataset_kind mho_dataset_cifar10 = {
    .entry =
        {.abi = MHO_ABI,
         .id = "cifar10",
         .title = "CIFAR-10, photographs in colour, 50000 + 10000 images of 32 x 32",
         .source =
             "Krizhevsky, Univ. of Toronto, 2009, https://www.cs.toronto.edu/~kriz/cifar.html"},
    .files = files,
    .n_files = MHO_COUNT(files),
    .load = load,
};
