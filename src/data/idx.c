/* idx.c - IDX, the file format of MNIST and of the many sets made after it, and the dataset of any
 * four such files.
 *
 * A file is big-endian: two zero bytes, the type (8: unsigned byte; images may be of D: float or E:
 * double), the number of dimensions, each dimension as a 32-bit number, the data. Real pixels are
 * from 0 to 1, and rounded to one of 256, or whole numbers from 0 to 255. Images have two
 * dimensions (vectors, one row of pixels each), three (height and width), or four (channels before
 * them). The format is of Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of
 * handwritten digits", http://yann.lecun.com/exdb/mnist/. A header is not believed: memory grows
 * with the data that are there, not with the sizes announced.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/idx.h"
#include "mho/model/dataset.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  IMAGES = 0x00000803,
  LABELS = 0x00000801,
  DIMENSIONS_MAX = 4,
  CHANNELS_MAX = 3,
  PIXELS_MAX = 1 << 24, /* of an image, 4096 x 4096; a header that announces more is damaged */
  FIRST = 1 << 20       /* the bytes allocated before any data are seen */
};

/* A file that has been read. */
typedef struct idx {
  char path[MHO_DATA_PATH];
  char sha256[MHO_DATA_HEX];
  int n, channels, height, width; /* labels: 1 x 1 x 1 */
  int each;                       /* bytes of a number in the file: 1, 4 or 8 */
  uint8_t *data;                  /* [n x channels * height * width], owned */
} idx;

/* ---------------------------------------------------------------- one file */

/* The data's bytes. */
static size_t size_of(const idx *x) {
  return (size_t)x->n * (size_t)x->channels * (size_t)x->height * (size_t)x->width;
}

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static const char *content(uint32_t magic) {
  return magic == IMAGES ? "images" : "labels";
}

/* The numbers of a file of another type; NULL where it is no IDX file of a known one. */
static const char *other_type(uint32_t magic) {
  switch (magic >> 8) {
  case 0x09:
    return "signed bytes";
  case 0x0b:
    return "16-bit integers";
  case 0x0c:
    return "32-bit integers";
  default:
    return NULL;
  }
}

/* Bytes of a number of the type, 0 of one that is not read. */
static int bytes_of(uint32_t magic) {
  switch (magic >> 8) {
  case 0x08:
    return 1;
  case 0x0d:
    return sizeof(float);
  case 0x0e:
    return sizeof(double);
  default:
    return 0;
  }
}

/* Whether a file of images begins so: numbers of 2 to 4 dimensions. */
static bool is_images(uint32_t magic) {
  uint32_t dimensions = magic & 0xff;
  return bytes_of(magic) && dimensions >= 2 && dimensions <= DIMENSIONS_MAX;
}

static mho_err wrong_magic(const mho_data_reader *r, uint32_t magic, uint32_t have,
                           mho_errinfo *ei) {
  const char *hint = "", *type = other_type(have);
  if (type)
    return mho_fail(
        ei, MHO_EDATA,
        "%s holds %s: of IDX files unsigned bytes, float and double are read; save them "
        "as bytes from 0 to 255, or %s",
        r->name, type, r->cure);
  if (is_images(have))
    hint = " (it holds images: are two files swapped?)";
  else if (have == LABELS)
    hint = " (it holds labels: are two files swapped?)";
  else if (have >> 24 == '<')
    hint = " (it looks like a web page)";
  return mho_fail(ei, MHO_EDATA,
                  "%s is not an IDX file of %s: it begins with 0x%08x instead of 0x%08x%s; %s",
                  r->name, content(magic), have, magic, hint, r->cure);
}

/* Take the sizes out of a header; each is at least 1, and small enough that their product and an
 * int hold them. */
static mho_err take_sizes(const mho_data_reader *r, uint32_t magic, const uint8_t *b, idx *out,
                          mho_errinfo *ei) {
  int dimensions = (int)(magic & 0xff);
  uint32_t n = big_endian(b + 4), size[3] = {1, 1, 1}; /* channels, height, width */
  for (int k = 1; k < dimensions; k++)
    size[4 - dimensions + k - 1] = big_endian(b + 4 + 4 * k);

  uint64_t pixels = (uint64_t)size[1] * size[2];
  bool fits = n && n <= INT_MAX && size[0] && size[0] <= CHANNELS_MAX && pixels &&
              pixels <= PIXELS_MAX && n * (pixels * size[0]) <= PTRDIFF_MAX / 8;
  if (!fits)
    return mho_fail(ei, MHO_EDATA, "%s announces %u %s of %u x %u x %u bytes, which cannot be; %s",
                    r->name, n, content(dimensions > 1 ? IMAGES : LABELS), size[0], size[1],
                    size[2], r->cure);

  out->each = bytes_of(magic);
  out->n = (int)n;
  out->channels = (int)size[0];
  out->height = (int)size[1];
  out->width = (int)size[2];
  return MHO_OK;
}

/* Read a header; magic: what the file is to hold, 0: images or labels. */
static mho_err read_header(mho_data_reader *r, uint32_t magic, idx *out, mho_errinfo *ei) {
  uint8_t b[4 * (1 + DIMENSIONS_MAX)];
  size_t got = 0, more = 0;
  mho_err err = mho__data_read(r, b, 8, &got, ei);
  if (err)
    return err;

  uint32_t have = got >= 4 ? big_endian(b) : 0;
  if (!magic)
    magic = have == LABELS ? LABELS : IMAGES;
  bool fits = magic == IMAGES ? is_images(have) : have == magic;
  if (got >= 4 && !fits)
    return wrong_magic(r, magic, have, ei);

  size_t want = got >= 4 ? 4 * (1 + (have & 0xff)) : 8;
  if (got == 8 && want > 8) {
    err = mho__data_read(r, b + 8, want - 8, &more, ei);
    if (err)
      return err;
  }
  if (got + more < want)
    return mho_fail(ei, MHO_EDATA,
                    "%s is cut short: it ends within its header, after %zu bytes; %s", r->name,
                    got + more, r->cure);
  return take_sizes(r, have, b, out, ei);
}

static mho_err read_body(mho_data_reader *r, size_t total, uint8_t **data, mho_errinfo *ei) {
  size_t have = 0, capacity = 0;
  while (have < total) {
    capacity = mho_min_size(capacity ? 2 * capacity : FIRST, total);
    uint8_t *larger = mho_alloc(capacity, 1);
    if (!larger)
      return mho_fail(ei, MHO_ENOMEM, "no memory for %zu bytes of %s", capacity, r->name);

    if (have)
      memcpy(larger, *data, have);
    mho_free(*data);
    *data = larger;

    size_t got;
    mho_err err = mho__data_read(r, larger + have, capacity - have, &got, ei);
    if (err)
      return err;
    if (have + got < capacity)
      return mho_fail(ei, MHO_EDATA,
                      "%s is cut short: it announces %zu bytes of data and holds %zu; %s", r->name,
                      total, have + got, r->cure);
    have += got;
  }
  return MHO_OK;
}

/* Read past the end, which is where zlib compares the gzip stream's own checksum. */
static mho_err read_end(mho_data_reader *r, mho_errinfo *ei) {
  uint8_t b;
  size_t got;
  mho_err err = mho__data_read(r, &b, 1, &got, ei);
  if (err)
    return err;
  if (got)
    return mho_fail(ei, MHO_EDATA, "%s goes on after the data its header announces; %s", r->name,
                    r->cure);
  return MHO_OK;
}

/* Number i of real ones. */
static double real_at(const idx *x, size_t i) {
  const uint8_t *b = x->data + i * (size_t)x->each;
  union {
    uint32_t bits;
    float v;
  } single = {.bits = big_endian(b)};
  if (x->each == 4)
    return (double)single.v;

  union {
    uint64_t bits;
    double v;
  } real = {.bits = (uint64_t)big_endian(b) << 32 | big_endian(b + 4)};
  return real.v;
}

/* Real numbers, which take the place of their own first bytes, to pixels. */
static mho_err to_pixels(const mho_data_reader *r, idx *x, mho_errinfo *ei) {
  size_t n = size_of(x);
  double low = 0, high = 0;
  bool whole = true, finite = true;
  for (size_t i = 0; i < n; i++) {
    double v = real_at(x, i);
    finite = finite && isfinite(v);
    whole = whole && v == floor(v);
    low = fmin(low, v);
    high = fmax(high, v);
  }

  if (!finite || low < 0 || high > 255 || (high > 1 && !whole))
    return mho_fail(ei, MHO_EDATA,
                    "%s holds %s from %g to %g: as pixels, numbers from 0 to 1 are read, or whole "
                    "ones to 255; %s",
                    r->name, finite ? "numbers" : "what is no number, and numbers", low, high,
                    r->cure);

  double factor = high > 1 ? 1 : 255;
  for (size_t i = 0; i < n; i++)
    x->data[i] = (uint8_t)lrint(factor * real_at(x, i));
  return MHO_OK;
}

/* Fill all of out but its path; out->data is to be freed whatever is returned. */
static mho_err read_file(const char *path, const char *name, uint32_t magic, const char *cure,
                         idx *out, mho_errinfo *ei) {
  mho_data_reader r;
  mho_err err = mho__data_open(&r, path, name, cure, ei);
  if (err)
    return err;

  err = read_header(&r, magic, out, ei);
  if (!err)
    err = read_body(&r, size_of(out) * (size_t)out->each, &out->data, ei);
  if (!err)
    err = read_end(&r, ei);
  if (!err && out->each > 1)
    err = to_pixels(&r, out, ei);
  mho__data_close(&r, out->sha256);
  return err;
}

mho_err mho__idx_check(const char *path, const char *name, const char *cure, mho_errinfo *ei) {
  idx file = {0};
  mho_err err = read_file(path, name, 0, cure, &file, ei);
  mho_free(file.data);
  return err;
}

/* ---------------------------------------------------------------- four files */

enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

static mho_err read_files(const mho_dataset_kind *kind, const char *folder, const char *cure,
                          idx loaded[FILES], mho_errinfo *ei) {
  for (int i = 0; i < FILES; i++) {
    const mho_data_file *file = &kind->files[i];
    idx *x = &loaded[i];
    if (!mho__data_find(folder, file->name, x->path, sizeof x->path))
      return mho_fail(ei, MHO_ENOTFOUND, "%s is neither in %s nor, packed as %s.gz; %s", file->name,
                      folder, file->name, cure);

    uint32_t magic = i == TRAIN_IMAGES || i == TEST_IMAGES ? IMAGES : LABELS;
    mho_err err = read_file(x->path, x->path, magic, cure, x, ei);
    if (!err)
      err = mho__data_compare(file, x->sha256, x->path, cure, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

static mho_err check_labels(const idx *x, int classes, const char *cure, mho_errinfo *ei) {
  for (int i = 0; i < x->n; i++)
    if (x->data[i] >= classes)
      return mho_fail(ei, MHO_EDATA, "%s has the label %d at image %d, with classes 0 to %d; %s",
                      x->path, x->data[i], i, classes - 1, cure);
  return MHO_OK;
}

static mho_err check_agreement(const idx loaded[FILES], int classes, const char *cure,
                               mho_errinfo *ei) {
  for (int i = 0; i < FILES; i += 2)
    if (loaded[i].n != loaded[i + 1].n)
      return mho_fail(ei, MHO_EDATA, "%s holds %d images, but %s holds %d labels; %s",
                      loaded[i].path, loaded[i].n, loaded[i + 1].path, loaded[i + 1].n, cure);

  const idx *a = &loaded[TRAIN_IMAGES], *b = &loaded[TEST_IMAGES];
  if (a->channels != b->channels)
    return mho_fail(ei, MHO_EDATA, "%s holds images with %d channels, but %s with %d; %s", a->path,
                    a->channels, b->path, b->channels, cure);
  if (a->height != b->height || a->width != b->width)
    return mho_fail(ei, MHO_EDATA, "%s holds images of %d x %d pixels, but %s of %d x %d; %s",
                    a->path, a->height, a->width, b->path, b->height, b->width, cure);

  mho_err err = check_labels(&loaded[TRAIN_LABELS], classes, cure, ei);
  return err ? err : check_labels(&loaded[TEST_LABELS], classes, cure, ei);
}

static int count_classes(const idx *labels) {
  int classes = 0;
  for (int i = 0; i < labels->n; i++)
    if (labels->data[i] >= classes)
      classes = labels->data[i] + 1;
  return classes;
}

/* Copy the files into one block of memory: training images and labels, then those of the test. */
static mho_err join(const idx loaded[FILES], mho_dataset *out, mho_errinfo *ei) {
  size_t bytes[FILES], total = 0;
  for (int i = 0; i < FILES; i++) {
    bytes[i] = size_of(&loaded[i]);
    total += bytes[i];
  }

  uint8_t *to = mho_alloc(total, 1);
  out->memory = to;
  if (!to)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %zu bytes of images", total);

  uint8_t *at[FILES];
  for (int i = 0; i < FILES; i++) {
    at[i] = to;
    memcpy(to, loaded[i].data, bytes[i]);
    to += bytes[i];
  }

  out->train = (mho_images){loaded[TRAIN_IMAGES].n, at[TRAIN_IMAGES], at[TRAIN_LABELS]};
  out->test = (mho_images){loaded[TEST_IMAGES].n, at[TEST_IMAGES], at[TEST_LABELS]};
  return MHO_OK;
}

/* All that a dataset says of its images, and the checksum of the four files' own. */
static void describe(const idx loaded[FILES], int classes, mho_dataset *out) {
  out->height = loaded[TRAIN_IMAGES].height;
  out->width = loaded[TRAIN_IMAGES].width;
  out->channels = loaded[TRAIN_IMAGES].channels;
  out->features = out->channels * out->height * out->width;
  out->classes = classes;
  out->scale = 1.0 / 255;

  char digests[FILES * (MHO_DATA_HEX - 1) + 1] = "";
  for (int i = 0; i < FILES; i++)
    mho_text_append(digests, sizeof digests, "%s", loaded[i].sha256);
  SHA256Data((const uint8_t *)digests, sizeof digests - 1, out->checksum);
}

mho_err mho__idx_load(const mho_dataset_kind *kind, const char *folder, int classes,
                      mho_dataset *out, mho_errinfo *ei) {
  char cure[128];
  mho__data_cure(kind, cure, sizeof cure);

  idx *loaded = mho_alloc(FILES, sizeof *loaded);
  if (!loaded)
    return mho_fail(ei, MHO_ENOMEM, "no memory to read %s", kind->entry.id);

  mho_err err = read_files(kind, folder, cure, loaded, ei);
  if (!err && !classes)
    classes = count_classes(&loaded[TRAIN_LABELS]);
  if (!err)
    err = check_agreement(loaded, classes, cure, ei);
  if (!err) {
    describe(loaded, classes, out);
    err = join(loaded, out, ei);
  }

  for (int i = 0; i < FILES; i++)
    mho_free(loaded[i].data);
  mho_free(loaded);
  return err;
}

/* ---------------------------------------------------------------- the dataset of any four files */

static mho_err load(const mho_dataset_kind *kind, const void *params, const char *folder,
                    mho_dataset *out, mho_errinfo *ei) {
  return mho__idx_load(kind, folder, 0, out, ei);
}

static const mho_data_file files[] = {
    {.name = "train-images-idx3-ubyte"},
    {.name = "train-labels-idx1-ubyte"},
    {.name = "t10k-images-idx3-ubyte"},
    {.name = "t10k-labels-idx1-ubyte"},
};

const mho_dataset_kind mho_dataset_idx = {
    .entry = {.abi = MHO_ABI,
              .id = "idx",
              .title = "any images in four IDX files named as those of MNIST are, in dataset.path",
              .source = "http://yann.lecun.com/exdb/mnist/"},
    .files = files,
    .n_files = MHO_COUNT(files),
    .load = load,
};
