/* Datasets: digits, IDX files good and bad, places, parts, batches, fetching.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/data.h"
#include "mho/model/dataset.h"
#include "mho_config.h"
#include "test.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <sha2.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define X(id) extern const mho_dataset_kind mho_dataset_##id;
#include "dataset_list.inc"
#undef X
static const mho_dataset_kind *const kinds[] = {
#define X(id) &mho_dataset_##id,
#include "dataset_list.inc"
#undef X
};

enum {
  PATH = 500, /* fits dataset.path */
  BYTES = 4096
};
static char folder[PATH]; /* temporary, new for every test */

/* ---------------------------------------------------------------- files */

/* snprintf that must not truncate. */
static void text(char *buf, size_t capacity, const char *format, ...) MHO_PRINTF(3, 4);
static void text(char *buf, size_t capacity, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(buf, capacity, format, ap);
  va_end(ap);
  assert_true(n >= 0 && (size_t)n < capacity);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  return remove(path);
}

static int setup(void **state) {
  const char *tmp = getenv("TMPDIR");
  text(folder, sizeof folder, "%s/mho-data-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  return !mkdtemp(folder);
}

static struct { /* of test_fetch; ended here too, in case the test fails */
  pid_t pid;
  int out;
} server;

static void stop_server(void) {
  if (server.pid > 0) {
    kill(server.pid, SIGTERM);
    waitpid(server.pid, NULL, 0);
    close(server.out);
  }
  server.pid = 0;
}

static int teardown(void **state) {
  stop_server();
  return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *in_folder(const char *name) {
  static char path[PATH];
  text(path, sizeof path, "%s/%s", folder, name);
  return path;
}

struct bytes {
  size_t n;
  uint8_t b[BYTES];
};

static void put(struct bytes *x, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8)
    x->b[x->n++] = (uint8_t)(v >> shift);
}

/* Image i has the pixels 7 i, 7 i + 1, ... ; its label is i mod 3. */
static struct bytes images(uint32_t n, uint32_t height, uint32_t width) {
  struct bytes x = {0};
  put(&x, 0x803), put(&x, n), put(&x, height), put(&x, width);
  for (uint32_t i = 0; i < n; i++)
    for (uint32_t k = 0; k < height * width; k++)
      x.b[x.n++] = (uint8_t)(7 * i + k);
  return x;
}

static struct bytes labels(uint32_t n) {
  struct bytes x = {0};
  put(&x, 0x801), put(&x, n);
  for (uint32_t i = 0; i < n; i++)
    x.b[x.n++] = (uint8_t)(i % 3);
  return x;
}

static void write_file(const char *path, const void *b, size_t n) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(b, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

static struct bytes packed(const struct bytes *x) {
  struct bytes out = {0};
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
                   Z_OK); /* + 16: gzip */
  z.next_in = (Bytef *)x->b;
  z.avail_in = (uInt)x->n;
  z.next_out = out.b;
  z.avail_out = BYTES;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.n = z.total_out;
  deflateEnd(&z);
  return out;
}

static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
enum { TRAIN = 11, TEST = 5, H = 2, W = 3 };

static struct bytes good(int i) {
  uint32_t n = i < 2 ? TRAIN : TEST;
  return i % 2 ? labels(n) : images(n, H, W);
}

/* File i of the four, plain or gzipped, in place of any of that name. */
static void write_idx(const char *where, int i, const struct bytes *x, bool gz) {
  char path[PATH];
  for (int k = 0; k < 2; k++) {
    text(path, sizeof path, "%s/%s%s", where, names[i], k ? ".gz" : "");
    unlink(path);
  }
  struct bytes z = gz ? packed(x) : *x;
  text(path, sizeof path, "%s/%s%s", where, names[i], gz ? ".gz" : "");
  write_file(path, z.b, z.n);
}

static void write_good(const char *where, bool gz) {
  mkdir(where, 0777);
  for (int i = 0; i < 4; i++) {
    struct bytes x = good(i);
    write_idx(where, i, &x, gz);
  }
}

static mho_err load_from(const char *where, mho_dataset *d, mho_errinfo *ei) {
  mho_dataset_config config = {0};
  text(config.path, sizeof config.path, "%s", where);
  *ei = (mho_errinfo){0};
  return mho_dataset_load(&mho_dataset_idx, NULL, &config, d, ei);
}

/* ---------------------------------------------------------------- kinds */

static void test_kinds(void **state) {
  assert_int_equal(MHO_COUNT(kinds), 7);
  for (int i = 0; i < MHO_COUNT(kinds); i++) {
    const mho_dataset_kind *k = kinds[i];
    assert_int_equal(k->entry.abi, MHO_ABI);
    assert_non_null(k->entry.id);
    assert_non_null(k->entry.title);
    assert_non_null(k->entry.source);
    assert_non_null(k->load);
    for (int f = 0; f < k->n_files; f++) {
      if (k->files[f].sha256)
        assert_int_equal(strspn(k->files[f].sha256, "0123456789abcdef"), 64);
      if (k->files[f].url)
        assert_int_equal(strncmp(k->files[f].url, "https://", 8), 0);
      assert_int_equal(!k->files[f].url, !k->files[0].url);
    }
  }
  mho_dataset_config config;
  mho_params_init(mho_dataset_params, &config);
  assert_string_equal(config.path, "");
  assert_int_equal(config.train + config.test + config.validation, 0);
}

static void test_digits(void **state) {
  mho_dataset_config config = {0};
  mho_dataset d;
  mho_errinfo ei;
  OK(mho_dataset_load(&mho_dataset_digits, NULL, &config, &d, &ei));
  assert_int_equal(d.train.n, 1437);
  assert_int_equal(d.test.n, 360);
  assert_int_equal(d.validation.n, 0);
  assert_int_equal(d.features, 64);
  assert_int_equal(d.width * d.height * d.channels, 64);
  assert_int_equal(d.classes, 10);
  NEAR(d.scale, 1.0 / 16, 0, 0);

  /* of the 1797 x 64 pixels, then the labels, of the published optdigits.tes */
  assert_string_equal(d.checksum,
                      "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826");

  /* UCI's table of classes */
  static const int published[10] = {178, 182, 177, 183, 181, 182, 181, 179, 174, 180};
  int count[10] = {0};
  const mho_images *parts[] = {&d.train, &d.test};
  for (int p = 0; p < 2; p++) {
    for (int i = 0; i < parts[p]->n; i++)
      count[parts[p]->label[i]]++;
    for (int i = 0; i < parts[p]->n * 64; i++)
      assert_true(parts[p]->pixel[i] <= 16);
  }

  assert_memory_equal(count, published, sizeof count);
  static const uint8_t row[8] = {0, 0, 5, 13, 9, 1, 0, 0}; /* the top of the first image, a zero */
  assert_memory_equal(d.train.pixel, row, sizeof row);
  assert_int_equal(d.train.label[0], 0);
  char where[PATH];
  mho_dataset_locate(&mho_dataset_digits, NULL, where, sizeof where);
  assert_string_equal(where, "");
  OK(mho_dataset_fetch(NULL, &mho_dataset_digits, NULL, &ei));
  mho_dataset_free(&d);
  mho_dataset_free(&d); /* empty by now */
  mho_dataset_free(NULL);
}

static void test_mnist(void **state) {
  const char *shared = getenv("MHO_DATA");
  char where[PATH];
  mho_dataset_config config = {.validation = 5000, .test = 1000};
  text(config.path, sizeof config.path, "%s/mnist", shared ? shared : "");
  mho_dataset_locate(&mho_dataset_mnist, config.path, where, sizeof where);
  if (!shared || !*where) {
    print_message("skipped: no MNIST in $MHO_DATA/mnist\n");
    skip();
  }

  mho_dataset d;
  mho_errinfo ei;
  OK(mho_dataset_load(&mho_dataset_mnist, NULL, &config, &d, &ei));
  assert_int_equal(d.train.n, 55000);
  assert_int_equal(d.validation.n, 5000);
  assert_int_equal(d.test.n, 1000);
  assert_int_equal(d.features, 784);
  assert_int_equal(d.classes, 10);
  static const uint8_t first[] = {5, 0, 4, 1, 9},
                       test[] = {7, 2, 1, 0, 4}; /* as every tutorial shows them */
  assert_memory_equal(d.train.label, first, sizeof first);
  assert_memory_equal(d.test.label, test, sizeof test);
  assert_int_equal(d.train.pixel[28 * 5 + 12], 3);
  mho_dataset_free(&d);
}

/* Over all training pixels a normalized MNIST has mean 0 and spread 1. */
static void test_mnist_normalized(void **state) {
  enum { AT_ONCE = 1000, PIXELS = 784 };
  static mho_real x[AT_ONCE * PIXELS];
  static uint8_t label[AT_ONCE];
  const char *shared = getenv("MHO_DATA");
  char where[PATH];
  mho_dataset_config config = {.normalize = MHO_NORMALIZE_CHANNELS};
  text(config.path, sizeof config.path, "%s/mnist", shared ? shared : "");
  mho_dataset_locate(&mho_dataset_mnist, config.path, where, sizeof where);
  if (!shared || !*where) {
    print_message("skipped: no MNIST in $MHO_DATA/mnist\n");
    skip();
  }

  mho_dataset d;
  mho_errinfo ei;
  double sum = 0, squares = 0, n = 0;
  OK(mho_dataset_load(&mho_dataset_mnist, NULL, &config, &d, &ei));
  for (int first = 0; first < d.train.n; first += AT_ONCE) {
    mho_images_batch(&d, &d.train, NULL, first, AT_ONCE, x, label);
    for (int i = 0; i < AT_ONCE * PIXELS; i++) {
      sum += (double)x[i];
      squares += (double)x[i] * (double)x[i];
      n++;
    }
  }
  NEAR(sum / n, 0, 0, 1e-3);
  NEAR(squares / n, 1, 1e-3, 0);
  NEAR(x[0], -0.1307 / 0.3081, 1e-6, 0); /* a corner */
  mho_dataset_free(&d);
}

/* ---------------------------------------------------------------- IDX */

static void test_plain_and_packed(void **state) {
  mho_dataset d;
  mho_errinfo ei;
  char checksum[65] = "";
  for (int gz = 0; gz < 2; gz++) {
    write_good(folder, gz);
    OK(load_from(folder, &d, &ei));
    assert_int_equal(d.train.n, TRAIN);
    assert_int_equal(d.test.n, TEST);
    assert_int_equal(d.height, H);
    assert_int_equal(d.width, W);
    assert_int_equal(d.channels, 1);
    assert_int_equal(d.features, H * W);
    assert_int_equal(d.classes, 3);
    NEAR(d.scale, 1 / 255.0, 0, 0);
    assert_memory_equal(d.train.pixel, images(TRAIN, H, W).b + 16, TRAIN * H * W);
    assert_memory_equal(d.train.label, labels(TRAIN).b + 8, TRAIN);
    assert_memory_equal(d.test.pixel, images(TEST, H, W).b + 16, TEST * H * W);
    assert_memory_equal(d.test.label, labels(TEST).b + 8, TEST);
    if (gz)
      assert_string_equal(d.checksum, checksum); /* packing does not change it */
    strcpy(checksum, d.checksum);
    mho_dataset_free(&d);
  }

  struct bytes x = good(1);
  x.b[8] ^= 1;
  write_idx(folder, 1, &x, true);
  OK(load_from(folder, &d, &ei));
  assert_string_not_equal(d.checksum, checksum);
  mho_dataset_free(&d);
}

/* Load with file i spoilt: MHO_EDATA, the file's name, the reason and the cure are in the
 * message. */
static void expect_bad(int i, const struct bytes *x, const char *reason) {
  for (int gz = 0; gz < 2; gz++) {
    mho_dataset d;
    mho_errinfo ei;
    write_good(folder, false);
    write_idx(folder, i, x, gz);
    mho_err err = load_from(folder, &d, &ei);
    if (err != MHO_EDATA || !strstr(ei.message, names[i]) || !strstr(ei.message, reason) ||
        !strstr(ei.message, "good copy"))
      fail_msg("file %d, expected '%s': %s: %s", i, reason, mho_err_text(err), ei.message);
    assert_null(d.memory);
  }
}

static struct bytes with_size(int i, int at, uint32_t v) {
  struct bytes x = good(i), size = {0};
  put(&size, v);
  memcpy(x.b + at, size.b, 4);
  return x;
}

/* Images with these dimensions behind their number, as zeros. */
static struct bytes shaped(uint32_t n, int dimensions, const uint32_t *size) {
  struct bytes x = {0};
  size_t bytes = n;
  put(&x, 0x0801 + (uint32_t)dimensions);
  put(&x, n);
  for (int k = 0; k < dimensions; k++) {
    put(&x, size[k]);
    bytes *= size[k];
  }
  memset(x.b + x.n, 0, bytes);
  x.n += bytes;
  return x;
}

/* Vectors, and images with channels. */
static void test_ranks(void **state) {
  static const struct {
    int dimensions;
    uint32_t size[3];
    int channels, height, width;
  } all[] = {{1, {5}, 1, 1, 5}, {2, {H, W}, 1, H, W}, {3, {2, H, W}, 2, H, W}};

  for (int k = 0; k < MHO_COUNT(all); k++) {
    mho_dataset d;
    mho_errinfo ei;
    write_good(folder, false);
    for (int i = 0; i < 4; i += 2) {
      struct bytes x = shaped(i ? TEST : TRAIN, all[k].dimensions, all[k].size);
      write_idx(folder, i, &x, false);
    }
    OK(load_from(folder, &d, &ei));
    assert_int_equal(d.channels, all[k].channels);
    assert_int_equal(d.height, all[k].height);
    assert_int_equal(d.width, all[k].width);
    assert_int_equal(d.features, d.channels * d.height * d.width);
    mho_dataset_free(&d);
  }

  struct bytes x = shaped(TRAIN, 3, (uint32_t[]){4, 1, 1});
  expect_bad(0, &x, "cannot be");
}

/* The images of file i as real numbers of 4 or 8 bytes, each divided. */
static struct bytes real(int i, int each, double divisor) {
  struct bytes from = good(i), x = {0};
  put(&x, each == 4 ? 0x0d03 : 0x0e03);
  memcpy(x.b + 4, from.b + 4, 12);
  x.n = 16;
  for (size_t k = 16; k < from.n; k++) {
    double v = from.b[k] / divisor;
    float single = (float)v;
    uint64_t bits = 0;
    memcpy(&bits, each == 4 ? (void *)&single : (void *)&v, (size_t)each);
    if (each == 8)
      put(&x, (uint32_t)(bits >> 32));
    put(&x, (uint32_t)bits);
  }
  return x;
}

/* Images of real numbers, from 0 to 1 or whole ones, are the same pixels. */
static void test_real(void **state) {
  static const struct {
    int each;
    double divisor;
  } all[] = {{4, 255}, {8, 255}, {4, 1}, {8, 1}};

  for (int k = 0; k < MHO_COUNT(all); k++) {
    mho_dataset d;
    mho_errinfo ei;
    write_good(folder, false);
    for (int i = 0; i < 4; i += 2) {
      struct bytes x = real(i, all[k].each, all[k].divisor);
      write_idx(folder, i, &x, k % 2);
    }
    OK(load_from(folder, &d, &ei));
    assert_memory_equal(d.train.pixel, images(TRAIN, H, W).b + 16, TRAIN * H * W);
    assert_memory_equal(d.test.pixel, images(TEST, H, W).b + 16, TEST * H * W);
    NEAR(d.scale, 1 / 255.0, 0, 0);
    mho_dataset_free(&d);
  }

  struct bytes x = real(0, 4, 2);
  expect_bad(0, &x, "from 0 to");
  x = real(0, 8, -255);
  expect_bad(0, &x, "from -0.");
  x = real(2, 4, 255);
  memcpy(x.b + 16, "\x7f\xc0\0\0", 4);
  expect_bad(2, &x, "no number");
  x.n--;
  expect_bad(2, &x, "cut short");
}

static void test_bad_files(void **state) {
  struct bytes x = with_size(0, 0, 0x801);
  expect_bad(0, &x, "swapped");
  x = with_size(1, 0, 0x803);
  expect_bad(1, &x, "swapped");
  x = with_size(2, 0, 0x08080808);
  expect_bad(2, &x, "begins with 0x08080808 instead of 0x00000803");
  x = with_size(0, 0, 0x0b03);
  expect_bad(0, &x, "holds 16-bit integers");
  x = with_size(0, 0, 0x0805);
  expect_bad(0, &x, "begins with 0x00000805");
  x = (struct bytes){.n = 15, .b = "<!DOCTYPE html>"};
  expect_bad(3, &x, "web page");
  x = (struct bytes){0};
  expect_bad(0, &x, "cut short: it ends within its header");
  for (int i = 0; i < 4; i++) {
    x = good(i);
    x.n--;
    expect_bad(i, &x, "cut short: it announces");
    x = good(i);
    x.n = 7;
    expect_bad(i, &x, "within its header");
    x = good(i);
    x.n++;
    expect_bad(i, &x, "goes on after");
    x = with_size(i, 4, 0);
    expect_bad(i, &x, "cannot be");
    x = with_size(i, 4, UINT32_MAX);
    expect_bad(i, &x, "cannot be");
    x = with_size(i, 4, INT32_MAX); /* 2 GB and more are announced; they must not be allocated */
    expect_bad(i, &x, "cut short");
  }

  x = with_size(0, 8, 0);
  expect_bad(0, &x, "cannot be");
  x = with_size(0, 8, 0x80000000),
  memset(x.b + 12, 0xff, 4); /* overflows 32 and, with the count, 64 bits */
  expect_bad(0, &x, "cannot be");
  x = with_size(0, 8, 1 << 16),
  memcpy(x.b + 12, (uint8_t[]){0, 1, 0, 0}, 4); /* 2^32: 0 in 32 bits */
  expect_bad(0, &x, "cannot be");
  x = images(TRAIN - 1, H, W);
  expect_bad(0, &x, "holds 10 images");
  x = labels(TEST + 1);
  expect_bad(3, &x, "holds 6 labels");
  x = images(TEST, W, H);
  expect_bad(2, &x, "of 3 x 2");
  x = good(3);
  x.b[8 + 2] = 3; /* the training labels have 0 to 2 */
  expect_bad(3, &x, "label 3 at image 2");
}

static void test_damaged_gzip(void **state) {
  mho_dataset d;
  mho_errinfo ei;
  write_good(folder, true);
  struct bytes x = good(0), z = packed(&x);
  char path[PATH];
  text(path, sizeof path, "%s/%s.gz", folder, names[0]);
  write_file(path, z.b, z.n - 8); /* without its own checksum and length */
  assert_int_equal(load_from(folder, &d, &ei), MHO_EDATA);
  assert_non_null(strstr(ei.message, "breaks off"));
  z.b[z.n - 6] ^= 1;
  write_file(path, z.b, z.n);
  assert_int_equal(load_from(folder, &d, &ei), MHO_EDATA);
  assert_non_null(strstr(ei.message, "damaged"));
  unlink(path);
  assert_int_equal(mkdir(path, 0777), 0);
  assert_int_equal(load_from(folder, &d, &ei), MHO_EIO);
  assert_non_null(strstr(ei.message, path));
}

static void test_checksum(void **state) {
  mho_dataset_config config = {0};
  mho_dataset d;
  mho_errinfo ei;
  write_good(folder, true);
  text(config.path, sizeof config.path, "%s", folder);
  assert_int_equal(mho_dataset_load(&mho_dataset_mnist, NULL, &config, &d, &ei), MHO_EDATA);
  assert_non_null(strstr(ei.message, "SHA-256"));
  assert_non_null(strstr(ei.message, "mho data fetch mnist"));
}

/* Every bit of every byte flipped, every length: sound data or MHO_EDATA, never anything else. */
static void try_bytes(int i, bool gz, const struct bytes *x) {
  char path[PATH];
  mho_dataset d;
  mho_errinfo ei;
  text(path, sizeof path, "%s/%s%s", folder, names[i], gz ? ".gz" : "");
  write_file(path, x->b, x->n);
  mho_err err = load_from(folder, &d, &ei);
  if (err == MHO_EDATA) {
    assert_true(strlen(ei.message) > 20);
    return;
  }
  OK(err);
  assert_int_equal(d.features, d.width * d.height);
  const mho_images *parts[] = {&d.train, &d.test};
  mho_real *batch = calloc((size_t)d.features, sizeof *batch);
  for (int p = 0; p < 2; p++)
    for (int k = 0; k < parts[p]->n; k++) {
      uint8_t label;
      mho_images_batch(&d, parts[p], NULL, k, 1, batch, &label);
      assert_true(label < d.classes);
    }
  free(batch);
  mho_dataset_free(&d);
}

static void test_fuzz(void **state) {
  for (int gz = 0; gz < 2; gz++) {
    write_good(folder, gz);
    for (int i = 0; i < 4; i++) {
      struct bytes x = good(i), start = gz ? packed(&x) : x;
      for (size_t at = 0; at < start.n; at++) {
        for (int bit = 0; bit < 9; bit++) {
          struct bytes y = start;
          y.b[at] = (uint8_t)(y.b[at] ^ (bit == 8 ? 0xff : 1 << bit));
          try_bytes(i, gz, &y);
        }
        struct bytes y = start;
        y.n = at;
        try_bytes(i, gz, &y);
      }
      try_bytes(i, gz, &start);
    }
  }
}

/* ---------------------------------------------------------------- places, parts, batches */

static void test_places(void **state) {
  mho_dataset_config config = {0};
  mho_dataset d;
  mho_errinfo ei;
  char *old_home = getenv("HOME"), *old_data = getenv("MHO_DATA");
  char home[PATH] = "", data[PATH], found[PATH], expected[PATH];
  old_home = old_home ? strdup(old_home) : NULL;
  old_data = old_data ? strdup(old_data) : NULL;
  setenv("HOME", folder, 1);
  text(data, sizeof data, "%s/shared", folder);
  setenv("MHO_DATA", data, 1);
  for (int i = 0; i < 3; i++) {
    static const char *const below[] = {"/.cache", "/mho", "/idx"};
    mho_text_append(home, sizeof home, "%s%s", i ? "" : folder, below[i]);
    mkdir(home, 0777);
  }
  mkdir(data, 0777);

  assert_int_equal(mho_dataset_load(&mho_dataset_mnist, NULL, &config, &d, &ei), MHO_ENOTFOUND);
  assert_non_null(strstr(ei.message, "mho data fetch mnist"));
  assert_non_null(strstr(ei.message, "/shared/mnist does not exist"));
  assert_non_null(strstr(ei.message, "/.cache/mho/mnist does not exist"));
  write_good(home, true);
  mho_dataset_locate(&mho_dataset_idx, "", found, sizeof found);
  assert_string_equal(found, home);
  text(expected, sizeof expected, "%s/idx", data);
  write_good(expected, false); /* the environment goes before the home */
  mho_dataset_locate(&mho_dataset_idx, NULL, found, sizeof found);
  assert_string_equal(found, expected);
  OK(mho_dataset_load(&mho_dataset_idx, NULL, &config, &d, &ei));
  mho_dataset_free(&d);
  mho_dataset_locate(&mho_dataset_idx, home, found, sizeof found); /* the config before both */
  assert_string_equal(found, home);
  mho_dataset_locate(&mho_dataset_idx, home, found, 4); /* no room: not a part of a name */
  assert_string_equal(found, "");
  text(found, sizeof found, "%s/%s", expected, names[3]);
  unlink(found); /* a folder that lacks a file is passed over */
  mho_dataset_locate(&mho_dataset_idx, NULL, found, sizeof found);
  assert_string_equal(found, home);
  text(config.path, sizeof config.path, "%s", expected);
  assert_int_equal(mho_dataset_load(&mho_dataset_idx, NULL, &config, &d, &ei), MHO_ENOTFOUND);
  assert_non_null(strstr(ei.message, "lacks t10k-labels-idx1-ubyte"));
  assert_non_null(strstr(ei.message, "dataset.path"));
  assert_null(strstr(ei.message, "fetch")); /* idx has no address */
  unsetenv("MHO_DATA");
  unsetenv("HOME");
  assert_int_equal(mho_dataset_load(&mho_dataset_mnist, NULL, &(mho_dataset_config){0}, &d, &ei),
                   MHO_ENOTFOUND);
  assert_int_equal(mho_dataset_fetch(NULL, &mho_dataset_mnist, "", &ei), MHO_ENOTFOUND);

  if (old_home)
    setenv("HOME", old_home, 1);
  if (old_data)
    setenv("MHO_DATA", old_data, 1);
  free(old_home);
  free(old_data);
}

static void test_cut(void **state) {
  mho_dataset whole, d;
  mho_errinfo ei;
  OK(mho_dataset_load(&mho_dataset_digits, NULL, &(mho_dataset_config){0}, &whole, &ei));
  OK(mho_dataset_load(&mho_dataset_digits, NULL,
                      &(mho_dataset_config){.train = 500, .test = 100, .validation = 37}, &d, &ei));
  assert_int_equal(d.train.n, 463);
  assert_int_equal(d.validation.n, 37);
  assert_int_equal(d.test.n, 100);
  assert_memory_equal(d.train.pixel, whole.train.pixel, 463 * 64);
  assert_memory_equal(d.validation.pixel, whole.train.pixel + 463 * 64, 37 * 64);
  assert_memory_equal(d.validation.label, whole.train.label + 463, 37);
  assert_memory_equal(d.test.pixel, whole.test.pixel, 100 * 64);
  assert_string_equal(d.checksum, whole.checksum);
  mho_dataset_free(&d);
  mho_dataset_free(&whole);
  static const struct {
    mho_dataset_config config;
    const char *key;
  } bad[] = {{{.train = 1438}, "dataset.train"},
             {{.test = 361}, "dataset.test"},
             {{.train = -1}, "dataset.train"},
             {{.train = 1000000000000}, "dataset.train"},
             {{.validation = 1437}, "dataset.validation"},
             {{.train = 10, .validation = 10}, "dataset.validation"},
             {{.validation = -1}, "dataset.validation"}};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    assert_int_equal(mho_dataset_load(&mho_dataset_digits, NULL, &bad[i].config, &d, &ei),
                     MHO_ECONFIG);
    assert_non_null(strstr(ei.message, bad[i].key));
    assert_null(d.memory);
  }
}

static void test_batch(void **state) {
  enum { N = 3, F = 64 };
  static const int index[N] = {700, 0, 1299};
  mho_dataset d;
  mho_errinfo ei;
  mho_real out[N * F];
  uint8_t label[N];
  OK(mho_dataset_load(&mho_dataset_digits, NULL, &(mho_dataset_config){.train = 1300}, &d, &ei));
  for (int listed = 0; listed < 2; listed++) {
    mho_images_batch(&d, &d.train, listed ? index : NULL, 1297, N, out, label);
    for (int i = 0; i < N; i++) {
      int image = listed ? index[i] : 1297 + i;
      assert_int_equal(label[i], d.train.label[image]);
      for (int k = 0; k < F; k++)
        NEAR(out[i * F + k], d.train.pixel[image * F + k] / 16.0, 0, 0);
    }
  }
  mho_images_batch(&d, &d.test, index + 1, 0, 1, out, NULL);
  NEAR(out[2], d.test.pixel[2] / 16.0, 0, 0);
  mho_images_batch(&d, &d.test, NULL, 360, 0, out, label);
  mho_dataset_free(&d);
}

/* Augmented images: every one is a shifted and perhaps mirrored original, the draws follow from
 * epoch and number, and all shifts and both orientations come. */
static void test_augmented(void **state) {
  enum { SIDE = 5, N = 200 };
  uint8_t pixel[SIDE * SIDE], label[1] = {3}, got;
  int index[1] = {0}, seen[18] = {0};
  for (int i = 0; i < SIDE * SIDE; i++)
    pixel[i] = (uint8_t)(i + 1);
  mho_dataset d = {
      .features = SIDE * SIDE, .width = SIDE, .height = SIDE, .channels = 1, .scale = 1};
  mho_images part = {1, pixel, label};
  mho_dataset_config c = {.crop = 1, .flip = true};
  mho_rng rng = mho_rng_make(1, MHO_RNG_TEST, 0);
  for (int epoch = 0; epoch < N; epoch++) {
    mho_real out[SIDE * SIDE], again[SIDE * SIDE];
    mho_images_augmented(&d, &part, index, 1, &c, rng, epoch, out, &got);
    mho_images_augmented(&d, &part, index, 1, &c, rng, epoch, again, &got);
    assert_memory_equal(out, again, sizeof out);
    assert_int_equal(got, 3);
    int fits = 0;
    for (int k = 0; k < 18; k++) {
      int dy = k / 6 - 1, dx = k / 2 % 3 - 1, mirror = k % 2;
      bool same = true;
      for (int i = 0; i < SIDE * SIDE; i++) {
        int y = i / SIDE + dy, x = (mirror ? SIDE - 1 - i % SIDE : i % SIDE) + dx;
        bool inside = y >= 0 && y < SIDE && x >= 0 && x < SIDE;
        same = same && out[i] == (mho_real)(inside ? pixel[y * SIDE + x] : 0);
      }
      fits += same;
      seen[k] += same;
    }
    assert_int_equal(fits, 1);
  }

  for (int k = 0; k < 18; k++)
    assert_true(seen[k] > 0);
}

/* ---------------------------------------------------------------- fetching */

static void test_fetch_refusals(void **state) {
  mho_errinfo ei;
  volatile sig_atomic_t stop = 1;
  char below_file[PATH];
  assert_int_equal(mho_dataset_fetch(NULL, &mho_dataset_idx, folder, &ei), MHO_ENOTFOUND);
  assert_int_equal(
      mho_dataset_fetch(&(mho_context){.stop = &stop}, &mho_dataset_mnist, folder, &ei),
      MHO_EINTERRUPTED);
  write_file(in_folder("file"), "", 0);
  text(below_file, sizeof below_file, "%s/file/mnist", folder);
#ifdef MHO_HAVE_CURL
  assert_int_equal(mho_dataset_fetch(NULL, &mho_dataset_mnist, below_file, &ei), MHO_EIO);
  assert_non_null(strstr(ei.message, "cannot make the folder"));
  mho_data_file plain = {"train-images-idx3-ubyte", NULL, "http://localhost/x"};
  mho_dataset_kind kind = {.entry = {.id = "test"}, .files = &plain, .n_files = 1};
  assert_int_equal(mho_dataset_fetch(NULL, &kind, folder, &ei), MHO_EINVAL);
  plain.url = "https://no-such-host.invalid/x";
  assert_int_equal(mho_dataset_fetch(NULL, &kind, folder, &ei), MHO_EIO);
  assert_non_null(strstr(ei.message, plain.url));
#else
  assert_int_equal(mho_dataset_fetch(NULL, &mho_dataset_mnist, below_file, &ei), MHO_EUNSUPPORTED);
#endif
}

#ifdef MHO_HAVE_CURL
static int free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(s, (struct sockaddr *)&a, n), 0);
  assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
  close(s);
  return ntohs(a.sin_port);
}

/* An https server on this machine: openssl's, which sends a file as the whole answer, status
 * line and all. Returns its port, or 0 when there is no openssl command. */
static int start_server(void) {
  char command[2 * PATH], address[32];
  text(command, sizeof command,
       "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
       "-days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out "
       "ca.pem >log 2>&1",
       folder);
  if (system(command))
    return 0;
  int p[2], port = free_port();
  assert_int_equal(pipe(p), 0);
  text(address, sizeof address, "127.0.0.1:%d", port);
  server.out = p[0];
  server.pid = fork();
  if (!server.pid) {
    dup2(p[1], 1);
    close(p[0]);
    if (!chdir(folder) && freopen("log", "w", stderr))
      execlp("openssl", "openssl", "s_server", "-accept", address, "-cert", "ca.pem", "-key",
             "key.pem", "-HTTP", NULL);
    _exit(127);
  }

  close(p[1]);
  static const char word[] = "ACCEPT"; /* printed when it listens */
  char c;
  for (size_t n = 0; word[n]; n = c == word[n] ? n + 1 : c == word[0])
    assert_int_equal(read(server.out, &c, 1), 1);
  return port;
}

/* What the server answers for names[i]: status and header lines, then the bytes, of which it
 * promises `extra` more than there are. */
static void answer(int i, const char *head, const struct bytes *x, size_t extra) {
  struct bytes out = {0};
  out.n = (size_t)snprintf((char *)out.b, BYTES, "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n", head,
                           x->n + extra);
  memcpy(out.b + out.n, x->b, x->n);
  write_file(in_folder(names[i]), out.b, out.n + x->n);
}

static void stop_it(void *user, const char *what, long done, long total, const char *note) {
  *(volatile sig_atomic_t *)user = 1;
}

static void count_progress(void *user, const char *what, long done, long total, const char *note) {
  assert_true(done <= total);
  assert_non_null(strstr(note, "of 4"));
  ++*(int *)user;
}

/* Only the given number of whole files, and none that is half, is in the folder fetched into. */
static void expect_files(const char *where, int n) {
  char command[2 * PATH], line[64] = "";
  text(command, sizeof command, "ls -A '%s' | grep -c '' ; true", where);
  FILE *f = popen(command, "r");
  assert_non_null(fgets(line, sizeof line, f));
  pclose(f);
  assert_int_equal(atoi(line), n);
}

static void test_fetch(void **state) {
  mho_errinfo ei;
  mho_dataset d;
  mho_data_file files[4];
  mho_dataset_kind kind = {.entry = {.id = "test"}, .files = files, .n_files = 4};
  char url[4][128], where[PATH], path[PATH];
  int port = start_server();
  if (!port) {
    print_message("skipped: no openssl command to serve https with\n");
    skip();
  }
  setenv("no_proxy", "*", 1);
  unsetenv("CURL_CA_BUNDLE");
  unsetenv("SSL_CERT_FILE");
  text(where, sizeof where, "%s/a/b", folder);
  for (int i = 0; i < 4; i++) {
    struct bytes x = good(i), z = packed(&x);
    answer(i, "200 OK", &z, 0);
    text(url[i], sizeof url[i], "https://127.0.0.1:%d/%s", port, names[i]);
    files[i] = (mho_data_file){names[i], NULL, url[i]};
  }
  assert_int_equal(mho_dataset_fetch(NULL, &kind, where, &ei),
                   MHO_EIO); /* nobody vouches for the server */
  assert_non_null(strstr(ei.message, "certificate"));
  expect_files(where, 0);
  setenv("CURL_CA_BUNDLE", in_folder("ca.pem"), 1);

  volatile sig_atomic_t stop = 0;
  mho_context stopping = {.progress = stop_it, .stop = &stop, .user = (void *)&stop};
  assert_int_equal(mho_dataset_fetch(&stopping, &kind, where, &ei), MHO_EINTERRUPTED);
  expect_files(where, 0);

  int calls = 0;
  OK(mho_dataset_fetch(&(mho_context){.progress = count_progress, .user = &calls}, &kind, where,
                       &ei));
  assert_true(calls >= 4);
  expect_files(where, 4);
  OK(load_from(where, &d, &ei));
  mho_dataset_free(&d);

  struct bytes x = good(2), page = {.n = 15, .b = "<!DOCTYPE html>"}, none = {0};
  text(path, sizeof path, "%s/%s.gz", where, names[2]);
  write_file(path, x.b,
             x.n - 1); /* fetched again, and in vain while the server has no good one either */
  static const struct {
    const char *head, *reason;
    size_t extra;
    mho_err err;
  } bad[] = {{"404 Not Found", "404", 0, MHO_EIO},
             {"302 Found\r\nLocation: http://127.0.0.1/x", "not https", 0, MHO_EIO},
             {"200 OK", "failed", 10, MHO_EIO},
             {"200 OK", "web page", 0, MHO_EDATA}};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    answer(2, bad[i].head, i == 3 ? &page : i == 2 ? &x : &none, bad[i].extra);
    mho_err err = mho_dataset_fetch(NULL, &kind, where, &ei);
    if (err != bad[i].err || !strstr(ei.message, bad[i].reason) || !strstr(ei.message, url[2]))
      fail_msg("%s: %s: %s", bad[i].reason, mho_err_text(err), ei.message);
    expect_files(where, 4);
  }
  answer(2, "200 OK", &x, 0); /* not packed: just as good */
  OK(mho_dataset_fetch(NULL, &kind, where, &ei));
  OK(load_from(where, &d, &ei));
  mho_dataset_free(&d);

  files[3].sha256 =
      mho_dataset_mnist.files[3].sha256; /* now what is there and what comes are both wrong */
  assert_int_equal(mho_dataset_fetch(NULL, &kind, where, &ei), MHO_EDATA);
  assert_non_null(strstr(ei.message, "SHA-256"));
  char sha256[SHA256_DIGEST_STRING_LENGTH];
  x = good(3);
  files[3].sha256 = SHA256Data(x.b, x.n, sha256);
  stop_server();
  OK(mho_dataset_fetch(NULL, &kind, where, &ei)); /* all is there: no server is needed */
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mho_dataset_fetch(NULL, &kind, where, &ei), MHO_EIO);
  assert_non_null(strstr(ei.message, "no connection"));
  if (geteuid()) { /* root may write anywhere */
    chmod(where, 0555);
    assert_int_equal(mho_dataset_fetch(NULL, &kind, where, &ei), MHO_EIO);
    assert_non_null(strstr(ei.message, "cannot write into"));
    chmod(where, 0755);
  }
}
#endif

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_kinds),
      TEST(test_digits),
      TEST(test_mnist),
      TEST(test_mnist_normalized),
      TEST(test_plain_and_packed),
      TEST(test_ranks),
      TEST(test_real),
      TEST(test_bad_files),
      TEST(test_damaged_gzip),
      TEST(test_checksum),
      TEST(test_fuzz),
      TEST(test_places),
      TEST(test_cut),
      TEST(test_augmented),
      TEST(test_batch),
      TEST(test_fetch_refusals),
#ifdef MHO_HAVE_CURL
      TEST(test_fetch),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
