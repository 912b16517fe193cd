/* CIFAR-10: files good and bad, normalized batches, unpacking the archive, and the real data where
 * they lie.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/data.h"
#include "mho/model/dataset.h"
#include "mho_config.h"
#include "test.h"

#include <ftw.h>
#include <sha2.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

extern const mho_dataset_kind mho_dataset_cifar10, mho_dataset_digits;

enum {
  PATH = 500, /* fits dataset.path */
  BYTES = 1 << 16,
  FILES = 6,
  PIXELS = 3072,
  RECORD = 1 + PIXELS
};
static char folder[PATH]; /* temporary, new for every test */

/* The dataset with these few images in its files, and no checksums unless a test says so. */
static const int count[FILES] = {3, 1, 2, 1, 2, 2};
enum { TRAIN = 9, TEST = 2 };
static mho_data_file files[FILES];
static mho_dataset_kind small;

/* ---------------------------------------------------------------- files */

struct bytes {
  size_t n;
  uint8_t b[BYTES];
};

/* snprintf that must not truncate. */
static void text(char *buf, size_t capacity, const char *format, ...) MHO_PRINTF(3, 4);
static void text(char *buf, size_t capacity, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(buf, capacity, format, ap);
  va_end(ap);
  assert_true(n >= 0 && (size_t)n < capacity);
}

static const char *in_folder(const char *name) {
  static char path[PATH];
  text(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static uint8_t pixel(int image, int k) {
  return (uint8_t)(37 * image + k + 100 * (k / 1024));
}

static void put_image(struct bytes *x, int image) {
  x->b[x->n++] = (uint8_t)(image % 10);
  for (int k = 0; k < PIXELS; k++)
    x->b[x->n++] = pixel(image, k);
}

static struct bytes good(int file) {
  struct bytes x = {0};
  int first = 0;
  for (int i = 0; i < file; i++)
    first += count[i];
  for (int i = 0; i < count[file]; i++)
    put_image(&x, first + i);
  return x;
}

static void write_bytes(const char *path, const void *b, size_t n) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(b, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

static void write_packed(const char *path, const struct bytes *x) {
  gzFile f = gzopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(gzwrite(f, x->b, (unsigned)x->n), x->n);
  assert_int_equal(gzclose(f), Z_OK);
}

static struct bytes read_bytes(const char *path) {
  struct bytes x = {0};
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  x.n = fread(x.b, 1, BYTES, f);
  fclose(f);
  return x;
}

/* File i, plain or gzipped, in place of any of that name. */
static void write_file(int i, const struct bytes *x, bool gz) {
  char path[PATH];
  for (int k = 0; k < 2; k++) {
    text(path, sizeof path, "%s/%s%s", folder, files[i].name, k ? "" : ".gz");
    unlink(path);
  }
  if (gz) {
    mho_text_append(path, sizeof path, ".gz");
    write_packed(path, x);
  } else {
    write_bytes(path, x->b, x->n);
  }
}

static void write_good(bool gz) {
  for (int i = 0; i < FILES; i++) {
    struct bytes x = good(i);
    write_file(i, &x, gz);
  }
}

static mho_err load(const mho_dataset_kind *kind, mho_dataset *d, mho_errinfo *ei) {
  mho_dataset_config config = {0};
  text(config.path, sizeof config.path, "%s", folder);
  *ei = (mho_errinfo){0};
  return mho_dataset_load(kind, NULL, &config, d, ei);
}

static int setup(void **state) {
  const char *tmp = getenv("TMPDIR");
  text(folder, sizeof folder, "%s/mho-cifar-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  small = mho_dataset_cifar10;
  assert_int_equal(small.n_files, FILES);
  memcpy(files, small.files, sizeof files);
  small.files = files;
  for (int i = 0; i < FILES; i++)
    files[i].sha256 = NULL;
  return !mkdtemp(folder);
}

static struct { /* of test_download; ended here too, in case the test fails */
  pid_t pid;
  FILE *out;
} server;

static void stop_server(void) {
  if (server.pid > 0) {
    kill(server.pid, SIGTERM);
    waitpid(server.pid, NULL, 0);
    fclose(server.out);
  }
  server.pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  return remove(path);
}

static int teardown(void **state) {
  stop_server();
  return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---------------------------------------------------------------- loading */

static void expect_good(const mho_dataset *d) {
  assert_int_equal(d->train.n, TRAIN);
  assert_int_equal(d->test.n, TEST);
  assert_int_equal(d->features, PIXELS);
  assert_int_equal(d->classes, 10);
  assert_int_equal(d->width, 32);
  assert_int_equal(d->height, 32);
  assert_int_equal(d->channels, 3);
  NEAR(d->scale, 1 / 255.0, 0, 0);
  assert_false(d->normalized);
  for (int i = 0; i < TRAIN + TEST; i++) {
    const mho_images *part = i < TRAIN ? &d->train : &d->test;
    int at = i < TRAIN ? i : i - TRAIN;
    assert_int_equal(part->label[at], i % 10);
    for (int k = 0; k < PIXELS; k++)
      assert_int_equal(part->pixel[at * PIXELS + k], pixel(i, k));
  }
}

static void test_plain_and_packed(void **state) {
  mho_dataset d;
  mho_errinfo ei;
  char checksum[65] = "";
  for (int gz = 0; gz < 2; gz++) {
    write_good(gz);
    OK(load(&small, &d, &ei));
    expect_good(&d);
    if (gz)
      assert_string_equal(d.checksum, checksum); /* packing does not change it */
    strcpy(checksum, d.checksum);
    mho_dataset_free(&d);
  }
  /* of the files' own checksums, one after the other */
  char digests[FILES * 64 + 1] = "", expected[65];
  for (int i = 0; i < FILES; i++) {
    struct bytes x = good(i);
    SHA256Data(x.b, x.n, digests + (size_t)i * 64);
  }
  assert_string_equal(checksum, SHA256Data((const uint8_t *)digests, FILES * 64, expected));
}

/* More images than there is room for at first, and not as many in each file. */
static void test_many_images(void **state) {
  enum { MANY = 700 };
  mho_dataset d;
  mho_errinfo ei;
  write_good(false);
  FILE *f = fopen(in_folder(files[1].name), "wb");
  assert_non_null(f);
  for (int i = 0; i < MANY; i++) {
    struct bytes x = {0};
    put_image(&x, 1000 + i);
    assert_int_equal(fwrite(x.b, 1, x.n, f), RECORD);
  }

  fclose(f);
  OK(load(&small, &d, &ei));
  assert_int_equal(d.train.n, TRAIN - count[1] + MANY);
  assert_int_equal(d.test.n, TEST);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(d.train.label[count[0] + i], i % 10);
    assert_int_equal(d.train.pixel[(count[0] + i) * PIXELS + 2000], pixel(1000 + i, 2000));
  }

  assert_int_equal(d.train.pixel[0], pixel(0, 0));
  assert_int_equal(d.test.pixel[PIXELS], pixel(TRAIN + 1, 0));
  assert_int_equal(d.test.label[1], (TRAIN + 1) % 10);
  mho_dataset_free(&d);
}

/* Load with file i spoilt: MHO_EDATA, the file's name, the reason and the cure are in the
 * message. */
static void expect_bad(int i, const struct bytes *x, const char *reason) {
  for (int gz = 0; gz < 2; gz++) {
    mho_dataset d;
    mho_errinfo ei;
    write_good(false);
    write_file(i, x, gz);
    mho_err err = load(&small, &d, &ei);
    if (err != MHO_EDATA || !strstr(ei.message, files[i].name) || !strstr(ei.message, reason) ||
        !strstr(ei.message, "mho data fetch cifar10"))
      fail_msg("file %d, expected '%s': %s: %s", i, reason, mho_err_text(err), ei.message);
    assert_null(d.memory);
  }
}

static void test_bad_files(void **state) {
  for (int i = 0; i < FILES; i++) {
    struct bytes x = good(i);
    x.n--;
    char reason[64];
    text(reason, sizeof reason, "ends 3072 bytes into image %d", count[i] - 1);
    expect_bad(i, &x, reason);
    x = good(i);
    x.b[x.n++] = 1;
    text(reason, sizeof reason, "ends 1 bytes into image %d", count[i]);
    expect_bad(i, &x, reason);
    x = good(i);
    x.b[(count[i] - 1) * RECORD] = 10;
    text(reason, sizeof reason, "label 10 at image %d, with classes 0 to 9;", count[i] - 1);
    expect_bad(i, &x, reason);
    x.n = 0;
    expect_bad(i, &x, "ends 0 bytes into image 0");
  }

  struct bytes x = {.n = 15, .b = "<!DOCTYPE html>"};
  expect_bad(2, &x, "web page");
  x = (struct bytes){.n = 9,
                     .b = "\x80\x02}q\x01(U\x0b"
                          "b"};
  expect_bad(0, &x, "Python version");
}

static void test_other_failures(void **state) {
  mho_dataset d;
  mho_errinfo ei;
  write_good(false);
  assert_int_equal(load(&mho_dataset_cifar10, &d, &ei),
                   MHO_EDATA); /* whole, but not the published ones */
  assert_non_null(strstr(ei.message, "SHA-256"));
  assert_non_null(strstr(ei.message, "data_batch_1.bin"));
  assert_non_null(strstr(ei.message, "mho data fetch cifar10"));

  write_good(true);
  char path[PATH];
  text(path, sizeof path, "%s.gz", in_folder(files[3].name));
  struct bytes z = read_bytes(path);
  write_bytes(path, z.b, z.n - 8); /* without its own checksum and length */
  assert_int_equal(load(&small, &d, &ei), MHO_EDATA);
  assert_non_null(strstr(ei.message, "breaks off"));
  unlink(path);
  assert_int_equal(load(&small, &d, &ei), MHO_ENOTFOUND);
  assert_non_null(strstr(ei.message, "lacks data_batch_4.bin[.gz]"));
  assert_int_equal(small.load(&small, NULL, folder, &d, &ei),
                   MHO_ENOTFOUND); /* gone since it was looked for */
  assert_non_null(strstr(ei.message, "data_batch_4.bin is neither in"));
  assert_int_equal(mkdir(path, 0777), 0);
  assert_int_equal(load(&small, &d, &ei), MHO_EIO);
  assert_non_null(strstr(ei.message, path));
}

/* Every byte of a packed file changed, every length: sound data or MHO_EDATA, never anything
 * else. */
static void test_fuzz(void **state) {
  char path[PATH];
  write_good(true);
  text(path, sizeof path, "%s.gz", in_folder(files[0].name));
  struct bytes x = read_bytes(path);
  for (size_t at = 0; at < x.n; at++)
    for (int how = 0; how < 4; how++) {
      static const uint8_t flip[] = {1, 0x10, 0xff};
      struct bytes y = x;
      if (how < 3)
        y.b[at] ^= flip[how];
      write_bytes(path, y.b, how < 3 ? y.n : at);
      mho_dataset d;
      mho_errinfo ei;
      mho_err err = load(&small, &d, &ei);
      if (err == MHO_EDATA) {
        assert_true(strlen(ei.message) > 20);
        continue;
      }
      OK(err);
      for (int i = 0; i < d.train.n; i++)
        assert_true(d.train.label[i] < d.classes);
      mho_dataset_free(&d);
    }
}

/* ---------------------------------------------------------------- batches */

static void test_normalize(void **state) {
  enum { N = 2 };
  static const int index[N] = {7, 2};
  static const double mean[3] = {0.4914, 0.4822, 0.4465},
                      spread[3] = {3 * 0.2023, 3 * 0.1994, 3 * 0.2010};
  static mho_real out[N * PIXELS];
  mho_dataset_config config;
  mho_dataset d;
  mho_errinfo ei;
  uint8_t label[N];
  mho_params_init(mho_dataset_params, &config);
  assert_int_equal(config.normalize, MHO_NORMALIZE_NONE);
  text(config.path, sizeof config.path, "%s", folder);
  write_good(false);
  for (int normalize = 0; normalize < 2; normalize++) {
    config.normalize = normalize;
    OK(mho_dataset_load(&small, NULL, &config, &d, &ei));
    for (int listed = 0; listed < 2; listed++) {
      mho_images_batch(&d, &d.train, listed ? index : NULL, 6, N, out, label);
      for (int i = 0; i < N; i++) {
        int image = listed ? index[i] : 6 + i;
        assert_int_equal(label[i], image);
        for (int k = 0; k < PIXELS; k++) {
          double plain = pixel(image, k) / 255.0,
                 wanted = (plain - mean[k / 1024]) / spread[k / 1024];
          NEAR(out[i * PIXELS + k], normalize ? wanted : plain, 1e-7, normalize ? 3e-7 : 0);
          assert_true(fabs((double)out[i * PIXELS + k]) <= 1);
        }
      }
    }
    mho_images_batch(&d, &d.test, index + 1, 0, 0, out, NULL);
    mho_dataset_free(&d);
  }

  assert_int_equal(mho_dataset_load(&mho_dataset_digits, NULL, &config, &d, &ei), MHO_ECONFIG);
  assert_non_null(strstr(ei.message, "dataset.normalize"));
  assert_non_null(strstr(ei.message, "digits"));
  assert_null(d.memory);
}

/* ---------------------------------------------------------------- the archive */

static const char archive[] = "cifar-10-binary.tar.gz";

static void seal(uint8_t *header) {
  unsigned sum = 0;
  memset(header + 148, ' ', 8);
  for (int i = 0; i < 512; i++)
    sum += header[i];
  snprintf((char *)header + 148, 7, "%06o", sum);
}

/* Add a member; returns where its header is. */
static uint8_t *put_member(struct bytes *x, const char *name, char type, const void *data,
                           size_t n) {
  uint8_t *header = x->b + x->n;
  assert_true(x->n + 512 + n + 512 + 1024 <= BYTES);
  text((char *)header, 100, "%s", name);
  text((char *)header + 100, 8, "0000644");
  text((char *)header + 124, 12, "%011zo", n);
  header[156] = (uint8_t)type;
  memcpy(header + 257,
         "ustar\0"
         "00",
         8);
  seal(header);
  memcpy(header + 512, data, n);
  x->n += 512 + (n + 511) / 512 * 512;
  return header;
}

/* The archive as it is published: everything in a folder, the files in no order, others beside
 * them. */
static struct bytes make_archive(int without) {
  static const int order[FILES] = {3, 0, 5, 4, 1, 2};
  struct bytes x = {0};
  put_member(&x, "cifar-10-batches-bin/", '5', "", 0);
  put_member(&x, "cifar-10-batches-bin/data_batch_1.bin", 'x', "20 mtime=1234567890\n", 20);
  put_member(&x, "cifar-10-batches-bin/batches.meta.txt", '0', "airplane\n", 9);
  for (int i = 0; i < FILES; i++) {
    char name[100];
    struct bytes y = good(order[i]);
    text(name, sizeof name, "cifar-10-batches-bin/%s", files[order[i]].name);
    if (order[i] != without)
      put_member(&x, name, '0', y.b, y.n);
  }
  put_member(&x, "cifar-10-batches-bin/readme.html", '\0', "<html>", 6);
  x.n += 1024;
  return x;
}

static int count_files(void) {
  char command[2 * PATH];
  int n = -1;
  text(command, sizeof command, "ls -A '%s' | grep -c ''", folder);
  FILE *f = popen(command, "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%d", &n), 1);
  pclose(f);
  return n;
}

static void take_checksums(void) {
  static char sha256[FILES][65];
  for (int i = 0; i < FILES; i++) {
    struct bytes x = good(i);
    files[i].sha256 = SHA256Data(x.b, x.n, sha256[i]);
  }
}

struct watch {
  int unpacked, right, warnings;
  volatile sig_atomic_t stop;
};

static void on_log(void *user, mho_log_level level, const char *message) {
  struct watch *w = user;
  w->unpacked += !strncmp(message, "unpacked ", 9);
  w->right += strstr(message, "there and right") != NULL;
  w->warnings += level == MHO_LOG_WARNING;
}

static void on_progress(void *user, const char *what, long done, long total, const char *note) {
  assert_true(done <= total);
  if (!strcmp(what, "data_batch_1.bin"))
    ((struct watch *)user)->stop = 1;
}

static void expect_fetch(int unpacked, int right, int warnings) {
  struct watch w = {0};
  mho_errinfo ei;
  mho_dataset d;
  OK(mho_dataset_fetch(&(mho_context){.log = on_log, .user = &w}, &small, folder, &ei));
  assert_int_equal(w.unpacked, unpacked);
  assert_int_equal(w.right, right);
  assert_int_equal(w.warnings, warnings);
  OK(load(&small, &d, &ei));
  expect_good(&d);
  mho_dataset_free(&d);
}

static void test_unpack(void **state) {
  mho_errinfo ei;
  struct bytes x = make_archive(-1);
  write_packed(in_folder(archive), &x);
  struct watch w = {0}; /* stopped within the second file */
  mho_context stopping = {.progress = on_progress, .stop = &w.stop, .user = &w};
  assert_int_equal(mho_dataset_fetch(&stopping, &small, folder, &ei), MHO_EINTERRUPTED);
  assert_true(count_files() <= 3);
  take_checksums();
  unlink(in_folder(files[0].name));
  expect_fetch(5, 1, 0);
  assert_int_equal(count_files(), 1 + FILES); /* the archive, put there by hand, stays */
  expect_fetch(0, 6, 0);

  struct bytes y = good(2);
  y.b[5] ^= 1;
  write_file(2, &y, true); /* the bad packed file would be read before the good plain one */
  expect_fetch(1, 5, 1);
  assert_int_equal(count_files(), 1 + FILES);
  y = good(4);
  write_file(4, &y, true); /* a good packed one is as good */
  unlink(in_folder(files[5].name));
  expect_fetch(1, 5, 0);

  unlink(in_folder(archive)); /* and with all in place none is needed */
  expect_fetch(0, 6, 0);
}

/* As the command tar writes them. */
static void test_unpack_tar(void **state) {
  static const char *const formats[] = {"v7", "ustar", "gnu", "pax"};
  char command[4 * PATH];
  if (system("tar --version >/dev/null 2>&1")) {
    print_message("skipped: no tar command\n");
    skip();
  }
  take_checksums();
  for (int i = 0; i < MHO_COUNT(formats); i++) {
    write_good(false);
    text(command, sizeof command,
         "cd '%s' && mkdir a && mv *.bin a && tar --format=%s -czf %s a && rm -r a", folder,
         formats[i], archive);
    assert_int_equal(system(command), 0);
    expect_fetch(6, 0, 0);
  }
}

/* Fetch from this archive, plain, which is read as well as packed: MHO_EDATA, nothing left
 * behind. */
static void expect_bad_archive(const struct bytes *x, const char *reason, const char *cure) {
  mho_errinfo ei;
  write_bytes(in_folder(archive), x->b, x->n);
  mho_err err = mho_dataset_fetch(NULL, &small, folder, &ei);
  if (err != MHO_EDATA || !strstr(ei.message, archive) || !strstr(ei.message, reason) ||
      !strstr(ei.message, cure))
    fail_msg("expected '%s': %s: %s", reason, mho_err_text(err), ei.message);
  for (int i = 0; i < FILES; i++)
    unlink(in_folder(files[i].name));
  assert_int_equal(count_files(), 1);
}

static void test_bad_archives(void **state) {
  static const char replace[] = "put a good copy in its place";
  struct bytes x = make_archive(4);
  take_checksums();
  expect_bad_archive(&x, "does not hold data_batch_5.bin", replace);
  x = make_archive(-1);
  size_t end = x.n;
  for (x.n = 1; x.n < end - 1024; x.n += 509) /* wherever it breaks off */
    expect_bad_archive(&x, "", replace);
  x.n = 0;
  expect_bad_archive(&x, "does not hold data_batch_1.bin", replace);
  x = (struct bytes){.n = 15, .b = "<!DOCTYPE html>"};
  expect_bad_archive(&x, "web page", replace);

  /* Every byte of a header counts, but the one behind the end of its sum. */
  for (int at = 0; at < 512; at++) {
    if (at == 155)
      continue;
    x = make_archive(-1);
    x.b[at] ^= 0x55;
    expect_bad_archive(&x, "not a tar archive", replace);
  }

  static const char *const sizes[] = {"",     "12345678901a", "99999999999", "-1",
                                      "\x80", "777777777777", "77777777777"};
  for (int i = 0; i < MHO_COUNT(sizes); i++) {
    x = make_archive(-1);
    memset(x.b + 124, 0, 12);
    memcpy(x.b + 124, sizes[i], strlen(sizes[i]));
    seal(x.b);
    expect_bad_archive(&x, i < 5 ? "not a tar archive" : "cut short: it ends within a file",
                       replace);
  }

  x = (struct bytes){0};
  struct bytes y = good(0);
  uint8_t *header = put_member(&x, files[0].name, '0', y.b, y.n);
  x.n -= 600;
  expect_bad_archive(&x, "cut short: it ends within data_batch_1.bin", replace);
  header[512] ^= 1;
  x.n += 600;
  expect_bad_archive(&x, "SHA-256", replace);
  x = (struct bytes){0};
  header = put_member(&x, "", '0', y.b, y.n);
  memset(header, 'n', 100); /* a name that fills its place has no end */
  seal(header);
  expect_bad_archive(&x, "does not hold data_batch_1.bin", replace);
  assert_int_equal(unlink(in_folder(archive)), 0);
}

#ifdef MHO_HAVE_CURL
/* An https server on this machine: openssl's, which sends a file as the whole answer, status
 * line and all. Returns its port, or 0 when there is no openssl command. */
static int start_server(void) {
  char command[2 * PATH], line[256];
  int p[2], port = 0;
  text(command, sizeof command,
       "cd '%s' && mkdir web && cd web && openssl req -x509 -newkey ec -pkeyopt "
       "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext "
       "subjectAltName=IP:127.0.0.1 -keyout key.pem -out ca.pem >log 2>&1",
       folder);
  if (system(command))
    return 0;
  assert_int_equal(pipe(p), 0);
  server.pid = fork();
  if (!server.pid) {
    dup2(p[1], 1);
    close(p[0]);
    if (!chdir(in_folder("web")) && freopen("log", "w", stderr))
      execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "ca.pem", "-key",
             "key.pem", "-HTTP", NULL);
    _exit(127);
  }

  close(p[1]);
  server.out = fdopen(p[0], "r");
  while (!port && fgets(line, sizeof line, server.out))
    sscanf(line, "ACCEPT 127.0.0.1:%d", &port);
  assert_true(port > 0);
  return port;
}

static void answer(const char *head, const struct bytes *x) {
  struct bytes out = {0};
  out.n = (size_t)snprintf((char *)out.b, BYTES, "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n", head,
                           x->n);
  assert_true(out.n + x->n <= BYTES);
  memcpy(out.b + out.n, x->b, x->n);
  write_bytes(in_folder("web/cifar-10-binary.tar.gz"), out.b, out.n + x->n);
}

static void test_download(void **state) {
  mho_errinfo ei;
  char url[128];
  int port = start_server();
  if (!port) {
    print_message("skipped: no openssl command to serve https with\n");
    skip();
  }

  setenv("no_proxy", "*", 1);
  unsetenv("SSL_CERT_FILE");
  setenv("CURL_CA_BUNDLE", in_folder("web/ca.pem"), 1);
  text(url, sizeof url, "https://127.0.0.1:%d/%s", port, archive);
  for (int i = 0; i < FILES; i++)
    files[i].url = url;
  take_checksums();
  struct bytes x = make_archive(-1), page = {.n = 15, .b = "<!DOCTYPE html>"};
  static const struct {
    const char *head, *says;
    mho_err err;
  } bad[] = {{"200 OK", "web page", MHO_EDATA}, {"404 Not Found", "404", MHO_EIO}};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    answer(bad[i].head, &page);
    mho_err err = mho_dataset_fetch(NULL, &small, folder, &ei);
    if (err != bad[i].err || !strstr(ei.message, bad[i].says) || !strstr(ei.message, url))
      fail_msg("expected '%s': %s: %s", bad[i].says, mho_err_text(err), ei.message);
    assert_int_equal(count_files(), 1); /* web */
  }

  write_packed(in_folder("packed"), &x);
  x = read_bytes(in_folder("packed"));
  unlink(in_folder("packed"));
  answer("200 OK", &x);
  expect_fetch(6, 0, 0);
  assert_int_equal(count_files(), 1 + FILES); /* without the archive */
  stop_server();
  expect_fetch(0, 6, 0);
  unlink(in_folder(files[2].name));
  assert_int_equal(mho_dataset_fetch(NULL, &small, folder, &ei), MHO_EIO);
  assert_non_null(strstr(ei.message, "no connection"));
  assert_non_null(strstr(ei.message, in_folder(archive))); /* where it may be put by hand */
  assert_int_equal(count_files(), FILES);
}
#endif

/* ---------------------------------------------------------------- the real data */

static void test_real(void **state) {
  const char *shared = getenv("MHO_DATA");
  char where[PATH];
  mho_dataset_config config = {0};
  text(config.path, sizeof config.path, "%s/cifar10", shared ? shared : "");
  mho_dataset_locate(&mho_dataset_cifar10, config.path, where, sizeof where);
  if (!shared || !*where) {
    print_message("skipped: no CIFAR-10 in $MHO_DATA/cifar10\n");
    skip();
  }

  mho_dataset d;
  mho_errinfo ei;
  OK(mho_dataset_load(&mho_dataset_cifar10, NULL, &config, &d, &ei));
  assert_int_equal(d.train.n, 50000);
  assert_int_equal(d.test.n, 10000);
  int n[2][10] = {0};
  for (int i = 0; i < d.train.n; i++)
    n[0][d.train.label[i]]++;
  for (int i = 0; i < d.test.n; i++)
    n[1][d.test.label[i]]++;
  for (int c = 0; c < 10; c++) {
    assert_int_equal(n[0][c], 5000);
    assert_int_equal(n[1][c], 1000);
  }

  static const uint8_t first[] = {6, 9, 9, 4, 1},
                       test[] = {3, 8, 8, 0, 6}; /* as every tutorial shows them */
  assert_memory_equal(d.train.label, first, sizeof first);
  assert_memory_equal(d.test.label, test, sizeof test);
  for (int c = 0; c < 3;
       c++) { /* the first pixel of the frog, and the means that inputs are taken from */
    static const uint8_t frog[] = {59, 62, 63};
    assert_int_equal(d.train.pixel[c * 1024], frog[c]);
    int64_t sum = 0;
    for (int i = 0; i < d.train.n; i++) {
      const uint8_t *plane = d.train.pixel + (size_t)i * PIXELS + c * 1024;
      for (int k = 0; k < 1024; k++)
        sum += plane[k];
    }
    NEAR((double)sum / (50000.0 * 1024) * d.scale, d.mean[c], 0, 5e-5);
  }

  mho_dataset_free(&d);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(test_plain_and_packed),
      CASE(test_many_images),
      CASE(test_bad_files),
      CASE(test_other_failures),
      CASE(test_fuzz),
      CASE(test_normalize),
      CASE(test_unpack),
      CASE(test_unpack_tar),
      CASE(test_bad_archives),
#ifdef MHO_HAVE_CURL
      CASE(test_download),
#endif
      CASE(test_real),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
