/* Tables: columns by names and numbers, headers, quotes, NumPy's files, folders, cuts, scales from
 * training rows alone, classes, and what is refused with its place.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/stat.h>
#include <unistd.h>

#include "experiment.h"
#include "mho/model/check.h"

static char folder[] = "/tmp/mho_table_XXXXXX";

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void put(const char *name, const char *text) {
  FILE *f = fopen(path_of(name), "wb");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

/* A NumPy file of doubles: [rows x cols], or of one dimension with cols 0. */
static void put_npy(const char *name, int rows, int cols, const double *v) {
  char header[128];
  int n =
      cols ? snprintf(header, sizeof header,
                      "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", rows, cols)
           : snprintf(header, sizeof header,
                      "{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }", rows);
  FILE *f = fopen(path_of(name), "wb");
  assert_non_null(f);
  fprintf(f, "%cNUMPY%c%c%c%c%s%*s\n", 0x93, 1, 0, 118, 0, header, 117 - n, "");
  fwrite(v, sizeof *v, (size_t)rows * (size_t)(cols ? cols : 1), f);
  fclose(f);
}

/* Load what the section `dataset` says beside name and path. */
static mho_err load(const char *path, const char *keys, mho_dataset *d) {
  char yaml[1024];
  mho_config *c;
  mho_experiment *e = NULL;
  snprintf(yaml, sizeof yaml, "train: {batch: 1}\ndataset: {name: table, path: '%s'%s}", path,
           keys);
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  mho_err err = mho_experiment_new(registry, c, false, &e, &ei);
  *d = (mho_dataset){0};
  if (!err)
    err = mho_dataset_load((const mho_dataset_kind *)e->dataset.entry, e->dataset.params,
                           &e->dataset_config, d, &ei);
  mho_config_free(c);
  mho_experiment_free(e);
  return err;
}

#define RAW ", normalize: none"

/* ---------------------------------------------------------------- what is read */

static const char quoted[] = "\xef\xbb\xbf# of a comment\n\"the name\";a;\"b; c\";y\n"
                             "\"x \"\"1\"\"\"; 1 ;2;3\n\nsecond;-4e0;\"5\";6\r\nthird;7;8;9\n";

static void check_rows(const mho_dataset *d, int features, int values, const double *x,
                       const double *y) {
  int n = d->train.n + d->test.n;
  assert_int_equal(d->features, features);
  assert_int_equal(d->values, values);
  for (int i = 0; i < n * features; i++)
    assert_true(d->train.x[i] == x[i]);
  for (int i = 0; i < n * values; i++)
    assert_true(d->train.target[i] == y[i]);
}

static void test_columns(void **state) {
  static const double x[] = {1, 2, -4, 5, 7, 8}, y[] = {3, 6, 9};
  static const double back[] = {2, 1, 5, -4, 8, 7}, both[] = {3, 2, 6, 5, 9, 8};
  static const double one[] = {1, -4, 7};
  static const char *const same[] = {", features: 'a,b; c'", ", features: [2, 3]",
                                     ", features: 2-3, targets: y", ", features: '2-3'"};
  mho_dataset d;
  put("quoted.csv", quoted);
  for (int k = 0; k < MHO_COUNT(same); k++) {
    char keys[256];
    snprintf(keys, sizeof keys, "%s" RAW, same[k]);
    OK(load(path_of("quoted.csv"), keys, &d));
    check_rows(&d, 2, 1, x, y);
    assert_int_equal(d.train.n, 2); /* a fifth, rounded up, is for the test */
    mho_dataset_free(&d);
  }

  OK(load(path_of("quoted.csv"), ", features: '3,2'" RAW, &d)); /* in the order that is asked for */
  check_rows(&d, 2, 1, back, y);
  mho_dataset_free(&d);
  OK(load(path_of("quoted.csv"), ", features: a, targets: '4,3'" RAW, &d));
  check_rows(&d, 1, 2, one, both);
  mho_dataset_free(&d);
}

static void test_plain(void **state) {
  static const double x[] = {1, 2, 4, 5, 7, 8, 10, 11}, y[] = {3, 6, 9, 12};
  static const double all[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  mho_dataset d, e;
  put("plain.csv", "1,2,3\n4,5,6\n7\t8\t9\n10;11;12\n");
  put_npy("plain.npy", 4, 3, all);
  OK(load(path_of("plain.csv"), RAW, &d));
  OK(load(path_of("plain.npy"), RAW, &e));
  check_rows(&d, 2, 1, x, y);
  check_rows(&e, 2, 1, x, y);
  assert_string_not_equal(d.checksum, e.checksum);
  mho_dataset_free(&d);
  mho_dataset_free(&e);
}

static void test_folders(void **state) {
  static const double x[] = {1, 2, 3, 4}, y[] = {5, 6}, x2[] = {7, 8}, y2[] = {9};
  mho_dataset d;
  char home[256];
  snprintf(home, sizeof home, "%s/four", folder);
  assert_int_equal(mkdir(home, 0700), 0);
  put_npy("four/x_train.npy", 2, 2, x);
  put_npy("four/y_train.npy", 2, 0, y);
  put_npy("four/x_test.npy", 1, 2, x2);
  put_npy("four/y_test.npy", 1, 1, y2);
  OK(load(home, RAW, &d));
  assert_int_equal(d.train.n, 2);
  assert_int_equal(d.test.n, 1);
  assert_true(d.test.x[1] == 8 && d.test.target[0] == 9);
  check_rows(&(mho_dataset){.train = d.train, .features = 2, .values = 1}, 2, 1, x, y);
  mho_dataset_free(&d);

  snprintf(home, sizeof home, "%s/two", folder);
  assert_int_equal(mkdir(home, 0700), 0);
  put("two/train.csv", "a,b\n1,2\n3,4\n");
  put("two/test.csv", "a,b\n5,6\n");
  OK(load(home, RAW, &d));
  assert_true(d.train.n == 2 && d.test.n == 1 && d.test.x[0] == 5 && d.test.target[0] == 6);
  mho_dataset_free(&d);

  put("two/test.csv", "a,b,c\n5,6,7\n");
  assert_int_equal(load(home, RAW, &d), MHO_EDATA);
  put_npy("four/y_train.npy", 1, 1, y);
  snprintf(home, sizeof home, "%s/four", folder);
  assert_int_equal(load(home, RAW, &d), MHO_EDATA);
  assert_non_null(strstr(ei.message, "has 2 rows"));
}

static void test_classes(void **state) {
  mho_dataset d;
  put("iris.csv", "w,kind\n1,virginica\n2,setosa\n3,virginica\n4,versicolor\n5,setosa\n");
  OK(load(path_of("iris.csv"), ", kind: classes", &d));
  static const uint8_t names[] = {2, 0, 2, 1, 0};
  assert_true(d.classes == 3 && d.values == 0 && !d.train.target);
  assert_memory_equal(d.train.label, names, 5);
  mho_dataset_free(&d);

  put("numbers.csv", "1,10\n2,9\n3,10.0\n4,-1\n5,9\n"); /* by value, not as text */
  OK(load(path_of("numbers.csv"), ", kind: classes", &d));
  static const uint8_t numbers[] = {2, 1, 2, 0, 1};
  assert_memory_equal(d.train.label, numbers, 5);
  mho_dataset_free(&d);
}

/* ---------------------------------------------------------------- cuts and scales */

static void test_cuts(void **state) {
  char text[1024] = "";
  mho_dataset d, e;
  for (int i = 0; i < 20; i++)
    mho_text_append(text, sizeof text, "%d,%d,7\n", i, 3 * i);
  put("cut.csv", text);

  OK(load(path_of("cut.csv"), ", features: '1,3', targets: 2, test: 5, train: 12, validation: 4",
          &d));
  assert_true(d.train.n == 8 && d.validation.n == 4 && d.test.n == 5);
  assert_true(d.test.x[0] == 15 && d.validation.x[0] == 8 && d.validation.target[3] == 33);

  /* scales are those of rows 0 to 7: mean 3.5, spread sqrt(21/4); what does not vary is shifted */
  mho_real x[4], y[2];
  static const int index[] = {3, 0};
  NEAR(d.feature_mean[0], 3.5, 1e-15, 0);
  NEAR(d.feature_spread[0], sqrt(5.25), 1e-15, 0);
  NEAR(d.value_mean[0], 10.5, 1e-15, 0);
  NEAR(d.value_spread[0], 3 * sqrt(5.25), 1e-15, 0);
  mho_images_batch(&d, &d.test, index, 0, 2, x, NULL);
  mho_images_values(&d, &d.test, index, 0, 2, y);
  NEAR(x[0], (18 - 3.5) / sqrt(5.25), 1e-6, 0);
  NEAR(x[1], 0, 0, 0);
  NEAR(y[1], (45 - 10.5) / 3 / sqrt(5.25), 1e-6, 0);
  NEAR(mho_dataset_value(&d, 0, (double)y[1]), 45, 1e-6, 0);
  mho_dataset_free(&d);

  /* random rows: all of them once, the same ones every time, and not the last */
  OK(load(path_of("cut.csv"), ", split: random" RAW, &d));
  OK(load(path_of("cut.csv"), ", split: random" RAW, &e));
  assert_memory_equal(d.train.x, e.train.x, 40 * sizeof(double));
  double sum = 0, test = 0;
  for (int i = 0; i < 20; i++)
    sum += d.train.x[2 * i];
  for (int i = 0; i < 4; i++)
    test += d.test.x[2 * i];
  assert_true(d.test.n == 4 && sum == 190 && test != 16 + 17 + 18 + 19);
  mho_dataset_free(&d);
  mho_dataset_free(&e);
}

/* ---------------------------------------------------------------- what is refused */

static void refused(const char *name, const char *keys, mho_err what, int line, long col,
                    const char *words) {
  mho_dataset d;
  mho_err err = load(*name ? path_of(name) : name, keys, &d);
  if (err != what || !strstr(ei.message, words) || (line && (ei.line != line || ei.col != col)))
    fail_msg("%s%s: %d at %d:%ld, %s", name, keys, err, ei.line, ei.col, ei.message);
}

static void test_refusals(void **state) {
  put("words.csv", "a,b\n1,2\n3, four\n");
  put("short.csv", "a,b\n1,2\n3\n");
  put("gap.csv", "a,b\n1,2\n,4\n");
  put("first.csv", "1,b\n1,2\n");
  put("none.csv", "a,b\n");
  put("nan.csv", "1,2\n3,nan\n");
  put("one.csv", "1\n2\n");
  refused("words.csv", "", MHO_EDATA, 3, 3, "'four' is no finite number (column b)");
  refused("short.csv", "", MHO_EDATA, 3, -1, "1 fields, but the first line has 2");
  refused("gap.csv", "", MHO_EDATA, 3, 0, "a number is missing here (column a)");
  refused("first.csv", "", MHO_EDATA, 1, -1, "dataset.header");
  refused("none.csv", "", MHO_EDATA, 0, 0, "no rows");
  refused("nan.csv", "", MHO_EDATA, 2, 2, "'nan' is no finite number");
  refused("one.csv", "", MHO_ECONFIG, 0, 0, "dataset.features: ");
  refused("words.csv", ", features: c", MHO_ECONFIG, 0, 0, "no column 'c': it has a, b");
  refused("nan.csv", ", features: '3'", MHO_ECONFIG, 0, 0, "no column '3': it has columns 1 to 2");
  refused("nan.csv", ", features: '2-1'", MHO_ECONFIG, 0, 0, "no column '2-1'");
  refused("words.csv", ", features: b, targets: b", MHO_ECONFIG, 0, 0, "taken already");
  refused("quoted.csv", ", kind: classes, targets: '3,4'", MHO_ECONFIG, 0, 0, "the target is one");
  refused("quoted.csv", ", features: a, test: 3", MHO_ECONFIG, 0, 0, "dataset.test");
  refused("quoted.csv", ", features: a, normalize: channels", MHO_ECONFIG, 0, 0,
          "dataset.normalize");
  refused("quoted.csv", ", features: a, flip: true", MHO_ECONFIG, 2, -1, "dataset.flip");
  refused("quoted.csv", "}\nnetwork: {output: softmax", MHO_ECONFIG, 3, -1, "network.output");
  refused("nothing.csv", "", MHO_ENOTFOUND, 0, 0, "nothing.csv");
  refused("", "", MHO_ECONFIG, 0, 0, "dataset.path");
  assert_int_equal(mkdir(path_of("empty"), 0700), 0);
  refused("empty", "", MHO_ENOTFOUND, 0, 0, "x.csv");

  mho_dataset_config config;
  mho_dataset d;
  mho_params_init(mho_dataset_params, &config);
  config.normalize = MHO_NORMALIZE_COLUMNS;
  const mho_entry *digits = mho_registry_find(registry, MHO_KIND_DATASET, "digits");
  assert_int_equal(mho_dataset_load((const mho_dataset_kind *)digits, NULL, &config, &d, &ei),
                   MHO_ECONFIG);
}

/* The program's own rows, standardized as a table's are. */
static void test_from_memory(void **state) {
  static double x[30], y[15];
  for (int i = 0; i < 15; i++) {
    x[2 * i] = 1000 + i;
    x[2 * i + 1] = i * i;
    y[i] = 5 * i - 20;
  }
  mho_dataset d = {.train = {.n = 10, .x = x, .target = y},
                   .test = {.n = 5, .x = x + 20, .target = y + 10},
                   .features = 2,
                   .values = 1};
  mho_experiment *e = experiment("dataset: {normalize: columns}\nnetwork: {hidden: [6], output: "
                                 "linear}\ntrain: {batch: 5}");
  mho_trainer *t;
  mho_evaluation v;
  OK(mho_trainer_new_on(NULL, e, &d, &t, &ei));
  NEAR(mho_trainer_dataset(t)->feature_mean[0], 1004.5, 1e-12, 0);
  OK(mho_trainer_evaluate(t, &d.test, &v, &ei));

  /* the rms is in the unit of y, the loss is not */
  NEAR(v.rms, 5 * sqrt(8.25) * sqrt(2 * v.loss), 1e-5, 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static int set_up(void **state) {
  return setup_registry(state) || !mkdtemp(folder);
}

static int tear_down(void **state) {
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command) || teardown_registry(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_columns),     cmocka_unit_test(test_plain),
      cmocka_unit_test(test_folders),     cmocka_unit_test(test_classes),
      cmocka_unit_test(test_cuts),        cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_from_memory),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
