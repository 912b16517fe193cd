/* The report of a run: what it says, that it is one safe file, and that its command makes the run
 * again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/report.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mho/experiment.h"
#include "mho/model/report.h"
#include "test.h"

static char folder[64];
static mho_store *store;
static char *search_path; /* PATH as it was */

/* ---------------------------------------------------------------- a database with runs */

static int setup(void **state) {
  mho_errinfo ei;
  char path[128];
  strcpy(folder, "/tmp/mho-report-XXXXXX");
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/runs.db", folder);
  OK(mho_store_open(path, MHO_STORE_WRITE, &store, &ei));
  search_path = strdup(getenv("PATH"));
  return 0;
}

static int teardown(void **state) {
  setenv("PATH", search_path, 1);
  free(search_path);
  mho_store_close(store);
  DIR *d = opendir(folder);
  for (struct dirent *e; (e = readdir(d));)
    unlinkat(dirfd(d), e->d_name, 0);
  closedir(d);
  return rmdir(folder);
}

/* The JSON of a config, as a run stores it. */
static char *config_json(int n, const char *const *set) {
  mho_errinfo ei;
  mho_registry *r;
  mho_config *c;
  mho_experiment *e;
  OK(mho_registry_new(&r, &ei));
  OK(mho_config_new(&c, &ei));
  for (int i = 0; i < n; i++)
    OK(mho_config_set(c, set[i], &ei));
  OK(mho_experiment_new(r, c, false, &e, &ei));
  char *json = mho_experiment_json(e);
  mho_experiment_free(e);
  mho_config_free(c);
  mho_registry_free(r);
  return json;
}

static const char *const analog[] = {
    "network.hidden=[32, 16]", "device=soft_bounds",
    "device.g_min=2.5 uS",     "update.scheme=pulses",
    "array.read_noise=0.0125", "train.epochs=5",
    "train.seed=42",           "dataset.path=\"a \\\"b\\\": #c's <d> \\\\ $HOME `e`\"",
};

static void begin(const char *id, const char *name, const char *config) {
  mho_errinfo ei;
  mho_run_row run = {.name = (char *)(uintptr_t)name,
                     .config = (char *)(uintptr_t)config,
                     .config_hash = (char[]){"c0ffee"},
                     .defaults_version = 1,
                     .seed = 42,
                     .data_checksum = (char[]){"da7a"},
                     .code_version = (char[]){"1.2.3-test"},
                     .blas = (char[]){"SomeKernel"},
                     .host = (char[]){"secret-host"},
                     .final_test_acc = NAN,
                     .best_test_acc = NAN,
                     .train_acc = NAN,
                     .val_acc = NAN,
                     .pulses = NAN,
                     .energy_j = NAN};
  snprintf(run.id, sizeof run.id, "%s", id);
  OK(mho_store_run_begin(store, &run, &ei));
}

static void add_epochs(const char *id, int n, double val_acc) {
  static const mho_layer_row layers[] = {
      {0, "x-h1", 64, 32, 0.01, 0.2, 0.75, 51.25e-6, 9.5e-6, 0.031, 0.002, 1000, NAN},
      {1, "h1-<i>", 32, 16, 0.02, 0.3, 0.85, 52.5e-6, 8.5e-6, 0, 0, 200, NAN},
      {2, "h2-out", 16, 10, 0.03, 0.4, 0.95, 53.75e-6, 7.5e-6, 0, 0, 34, NAN}};
  mho_errinfo ei;
  for (int i = 1; i <= n; i++) {
    mho_epoch_row e = {.epoch = i,
                       .train_acc = 0.9 + 0.01 * i / n,
                       .test_acc = i == 4 ? 0.9556 : 0.9528,
                       .val_acc = val_acc,
                       .loss = 2.0 / i,
                       .settle_steps = 10,
                       .unsettled = i,
                       .pulses = 1234,
                       .set_pulses = 1000,
                       .reset_pulses = 234,
                       .reads = 100,
                       .energy_j = NAN,
                       .wall_s = 2,
                       .eval_s = 0.5};
    mho_store_update u = {.epoch = &e, .layers = layers, .n_layers = 3, .layers_epoch = i};
    OK(mho_store_write(store, id, &u, &ei));
  }
}

static void finish(const char *id, const char *status, int n, double val_acc, const char *error) {
  mho_errinfo ei;
  mho_run_row run = {.status = (char *)(uintptr_t)status,
                     .error = (char *)(uintptr_t)error,
                     .wall_s = 2.5 * n,
                     .epochs_done = n,
                     .final_test_acc = n ? 0.9528 : (double)NAN,
                     .best_test_acc = n ? 0.9556 : (double)NAN,
                     .best_epoch = n ? 4 : 0,
                     .train_acc = n ? 0.91 : (double)NAN,
                     .val_acc = val_acc,
                     .pulses = 1234.0 * n,
                     .energy_j = n ? 3.21e-6 : (double)NAN};
  OK(mho_store_write(store, id, &(mho_store_update){.run = &run}, &ei));
}

/* A finished run of n epochs with a co-simulation that has one failure. */
static void fake_run(const char *id, const char *name, int n, double val_acc) {
  mho_errinfo ei;
  char *json = config_json(MHO_COUNT(analog), analog);
  begin(id, name, json);
  free(json);
  add_epochs(id, n, val_acc);
  finish(id, "completed", n, val_acc, NULL);
  mho_cosim_row good = {"crossbar", "column current",
                        "A",        "column 3",
                        16,         2.52e-12,
                        1.4e-7,     1e-12,
                        1e-5,       true,
                        1.6e-5,     0.0305},
                bad = {"crossbar", "row <current>", "A", "row 7", 32, 4e-6, 2e-3, 1e-6,
                       1e-5,       false,           NAN, 0.5};
  OK(mho_store_cosim(store, id, &good, &ei));
  OK(mho_store_cosim(store, id, &bad, &ei));
}

static int n_warnings;
static void count_warnings(void *user, mho_log_level level, const char *message) {
  n_warnings += level == MHO_LOG_WARNING;
}

static char *write_report(const char *id) {
  mho_errinfo ei;
  mho_context ctx = {.log = count_warnings};
  char *html = NULL;
  size_t n;
  FILE *f = open_memstream(&html, &n);
  n_warnings = 0;
  OK(mho_report_find("run")->write(store, id, f, &ctx, &ei));
  fclose(f);
  return html;
}

#define HAS(html, text)                                                                            \
  do {                                                                                             \
    if (!strstr(html, text))                                                                       \
      fail_msg("the report lacks: %s", text);                                                      \
  } while (0)

/* ---------------------------------------------------------------- is it good HTML? */

/* Every tag closed, in order; every attribute quoted; every & a character's name. */
static void check_html(const char *html) {
  static const char *const empty[] = {"meta", "link", "!doctype"};
  char open[64][16];
  int depth = 0;
  for (const char *t = html; (t = strchr(t, '<'));) {
    const char *end = strchr(t, '>');
    char name[16];
    assert_non_null(end);
    bool closing = t[1] == '/';
    snprintf(name, sizeof name, "%.*s", (int)strcspn(t + 1 + closing, " \n/>"), t + 1 + closing);
    int quotes = 0;
    for (const char *q = t; q < end; q++) {
      quotes += *q == '"' || *q == '\'';
      if (*q == '=' && t[1] != '!' && q[1] != '"' && q[1] != '\'' && quotes % 2 == 0)
        fail_msg("an attribute without quotes: %.60s", t);
    }
    t = end;
    if (closing) {
      if (depth == 0 || strcmp(open[depth - 1], name))
        fail_msg("</%s> closes <%s>", name, depth ? open[depth - 1] : "nothing");
      depth--;
      continue;
    }
    bool alone = end[-1] == '/';
    for (int i = 0; i < MHO_COUNT(empty); i++)
      alone = alone || !strcmp(name, empty[i]);
    if (!alone) {
      assert_in_range(depth, 0, 63);
      strcpy(open[depth++], name);
    }
  }

  assert_int_equal(depth, 0);
  for (const char *a = strstr(html, "<body>"); (a = strchr(a, '&')); a++)
    if (strncmp(a, "&lt;", 4) && strncmp(a, "&gt;", 4) && strncmp(a, "&amp;", 5) &&
        strncmp(a, "&quot;", 6))
      fail_msg("a bare &: %.40s", a);
}

/* Nothing is fetched and nothing runs. */
static void check_self_contained(const char *html) {
  static const char *const bad[] = {"http:",   "https:",  "<script", "src=",  "url(",
                                    "@import", "<iframe", " on",     "xmlns", "rgb("};
  char *page = strdup(html);
  for (int i = 0; i < MHO_COUNT(bad); i++)
    for (const char *at = strstr(page, bad[i]); at; at = strstr(at + 1, bad[i])) {
      if (!strcmp(bad[i], " on")) { /* an event handler, not a word */
        size_t n = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");
        if (n < 5 || at[1 + n] != '=')
          continue;
      }
      fail_msg("the report has %s: %.60s", bad[i], at);
    }
  free(page);
}

static bool have_gnuplot(void) {
  return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

/* ---------------------------------------------------------------- tests */

static void test_registry(void **state) {
  assert_in_range(mho_report_count(), 1, 100);
  for (int i = 0; i < mho_report_count(); i++) {
    const mho_report *r = mho_report_at(i);
    assert_int_equal(r->entry.abi, MHO_ABI);
    assert_ptr_equal(mho_report_find(r->entry.id), r);
    assert_non_null(r->entry.title);
  }
  assert_null(mho_report_at(-1));
  assert_null(mho_report_at(mho_report_count()));
  assert_null(mho_report_find("ruin"));
}

static void test_says_it_all(void **state) {
  fake_run("r1", "<b>&\"x\"", 5, (double)NAN);
  char *html = write_report("r1");
  check_html(html);
  check_self_contained(html);
  assert_in_range(strlen(html), 1000, 300000);
  assert_null(strstr(html, "<b>"));
  assert_null(strstr(html, "secret-host"));
  static const char *const expected[] = {
      "<html lang=\"en\">", "<title>&lt;b&gt;&amp;&quot;x&quot; – mho run report</title>",
      "name=\"viewport\"", "<h1>&lt;b&gt;&amp;&quot;x&quot;</h1>",
      "EP on soft_bounds crossbars, 64-32-16-10, digits: best test accuracy 95.56\u00a0% in epoch "
      "4 (by test), last 95.28\u00a0%.",
      "<strong>95.56\u00a0%</strong>", "training 91.00\u00a0%", "<strong>12.5\u00a0s</strong>",
      "<strong>3.21\u00a0µJ</strong>", "6\u202f170", "5\u202f000 SET, 1\u202f170 RESET",
      /* the last epoch's, and all epochs' unsettled samples */
      "<strong>5</strong> in the last epoch, 15 in all",
      /* connections */
      "h1-&lt;i&gt;", "64 × 32", "51.25 ± 9.5", "3.10\u00a0%", "0.20\u00a0%", "5\u202f000</td>",
      /* ngspice */
      "1 of 2 quantities agree", "row &lt;current&gt;", "2.52\u00a0pA", "column 3", "1e-05",
      ">FAIL<", ">pass<", "30.5\u00a0ms",
      /* config and provenance */
      "2.5 uS", "[128, 128]", "1.2.3-test", "SomeKernel", "da7a", "c0ffee", "mho train --seed 42"};
  for (int i = 0; i < MHO_COUNT(expected); i++)
    HAS(html, expected[i]);
  if (have_gnuplot()) {
    int plots = 0;
    for (const char *s = html; (s = strstr(s, "<svg class=\"plot\"")); s++)
      plots++;
    assert_int_equal(plots, 5);
    assert_int_equal(n_warnings, 0);
    HAS(html, ">accuracy (%)<");
    HAS(html, ">loss (nat)<");
    HAS(html, "class='s1'");
  }

  free(html);
}

/* n epochs with observables, of a net of 8 connections; the last epoch has no Lyapunov exponent. */
static void add_observables(const char *id, int n) {
  mho_errinfo ei;
  add_epochs(id, n, (double)NAN);
  for (int i = 1; i <= n; i++) {
    mho_layer_row layers[8];
    char name[8][16];
    for (int c = 0; c < 8; c++) {
      snprintf(name[c], sizeof name[c], "h%d-'%d", c, c + 1);
      layers[c] = (mho_layer_row){
          .layer = c, .name = name[c], .rows = 4, .cols = 4, .cosine = 0.9 - 0.01 * c * i};
    }
    mho_settle_row settle = {.epoch = i,
                             .phase = "free",
                             .steps_mean = 14 + i,
                             .steps_max = 20 + i,
                             .residual_max = 1e-7,
                             .time_s = NAN,
                             .spectral_radius = 0.25 * i,
                             .lyapunov = i == n ? (double)NAN : -1.5 + 0.125 * i,
                             .unsettled = 3};
    mho_store_update u = {
        .layers = layers, .n_layers = 8, .layers_epoch = i, .settles = &settle, .n_settles = 1};
    OK(mho_store_write(store, id, &u, &ei));
  }
}

static void test_observables(void **state) {
  char *json = config_json(0, NULL);
  begin("r1", "observed", json);
  free(json);
  add_observables("r1", 5);
  char *html = write_report("r1");
  check_html(html);
  check_self_contained(html);
  HAS(html, "cosine with backprop"); /* of the last epoch, in the table of connections */
  if (have_gnuplot()) {
    static const char *const expected[] = {"spectral radius against epoch, last 1.25",
                                           "Lyapunov exponent (1/step) against epoch",
                                           "settling time (steps) against epoch, last 19",
                                           "longest",
                                           "h0-_1",
                                           "h7-_8",
                                           "Some of the connections."};
    int plots = 0;
    for (int i = 0; i < MHO_COUNT(expected); i++)
      HAS(html, expected[i]);
    for (const char *s = html; (s = strstr(s, "<svg class=\"plot\"")); s++)
      plots++;
    assert_int_equal(plots, 9);
    assert_int_equal(n_warnings, 0);
  }

  free(html);
}

static void test_marks_what_differs(void **state) {
  fake_run("r1", NULL, 5, (double)NAN);
  char *html = write_report("r1");
  HAS(html, "<h1>r1</h1>");
  HAS(html, "<tr class=\"changed\"><th scope=\"row\">g_min</th><td>2.5 uS</td><td>1 uS</td>");
  HAS(html, "<tr class=\"changed\"><th scope=\"row\">model</th><td>soft_bounds</td><td>ideal</td>");
  /* of a model that is not the default, its own defaults count */
  HAS(html, "<tr><th scope=\"row\">step_up</th>");
  HAS(html, "<tr class=\"changed\"><th scope=\"row\">read_noise</th><td>0.0125</td><td>0</td>");
  int changed = 0;
  for (const char *s = html; (s = strstr(s, "<tr class=\"changed\">")); s++)
    changed++;
  assert_int_equal(changed,
                   MHO_COUNT(analog) + 1); /* read_noise brings the array's model with it */
  free(html);
}

static void unescape(char *text) {
  static const char *const name[] = {"&lt;", "&gt;", "&quot;", "&amp;"};
  for (char *t = text; (t = strchr(t, '&')); t++)
    for (int i = 0; i < MHO_COUNT(name); i++)
      if (!strncmp(t, name[i], strlen(name[i]))) {
        *t = "<>\"&"[i];
        memmove(t + 1, t + strlen(name[i]), strlen(t + strlen(name[i])) + 1);
        break;
      }
}

/* The printed command, through a shell, gives the very config it was made from. */
static void test_command_makes_it_again(void **state) {
  static const char *const feedback[] = {"rule=fa", "network.neuron=relu", "settle.free=7",
                                         "feedback.scale=0.5"};
  char path[128], *again[64], line[1024],
      *json[] = {config_json(MHO_COUNT(analog), analog), config_json(4, feedback)};
  snprintf(path, sizeof path, "%s/mho", folder);
  FILE *f = fopen(path, "w");
  fputs("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", f);
  fclose(f);
  chmod(path, 0700);
  for (int run = 0; run < 2; run++) {
    char id[] = {'r', (char)('1' + run), 0}, *html, command[2048];
    begin(id, "run", json[run]);
    html = write_report(id);
    const char *at = strstr(html, "<code>mho train");
    assert_non_null(at);
    int n = snprintf(command, sizeof command, "PATH=\"%s:$PATH\"\n%.*s", folder,
                     (int)(strstr(at, "</code>") - at - 6), at + 6);
    assert_in_range(n, 0, (int)sizeof command - 1);
    unescape(command);
    FILE *shell = popen(command, "r");
    int n_again = 0;
    bool value = false;
    while (fgets(line, sizeof line, shell)) {
      line[strcspn(line, "\n")] = 0;
      if (value)
        again[n_again++] = strdup(line);
      value = !strcmp(line, "--set");
    }
    assert_int_equal(pclose(shell), 0);
    assert_true(run == 1 ? n_again == 4
                         : n_again == MHO_COUNT(analog)); /* the seed is not a --set */
    again[n_again++] = strdup(run == 0 ? "train.seed=42" : "train.seed=1");
    char *made = config_json(n_again, (const char *const *)again);
    assert_string_equal(made, json[run]);
    while (n_again > 0)
      free(again[--n_again]);
    free(made);
    free(html);
    free(json[run]);
  }
}

static void test_validation_and_failure(void **state) {
  fake_run("r1", "v", 5, 0.875);
  char *html = write_report("r1");
  HAS(html, "in epoch 4 (by validation)");
  HAS(html, "<strong>87.50\u00a0%</strong>");
  free(html);
  char *json = config_json(0, NULL);
  begin("r2", "d", json);
  add_epochs("r2", 1, (double)NAN);
  finish("r2", "diverged", 1, (double)NAN, "the loss is <nan> & more");
  free(json);
  html = write_report("r2");
  check_html(html);
  HAS(html, "<span class=\"bad\">diverged</span>");
  HAS(html, "the loss is &lt;nan&gt; &amp; more");
  HAS(html, "in floating point");
  free(html);
}

static void test_without_epochs(void **state) {
  char *json = config_json(0, NULL);
  begin("r1", NULL, json);
  free(json);
  char *html = write_report("r1");
  check_html(html);
  HAS(html, "no epoch is complete");
  HAS(html, "No epoch is stored yet");
  HAS(html, "had not ended");
  HAS(html, "mho cosim r1");
  assert_null(strstr(html, "<svg"));
  free(html);
}

/* What a database of others may hold in the place of images: only whole lines are shown. */
static void test_strange_mistakes(void **state) {
  static const char *const texts[] = {
      "",
      "5 3\n",
      "5 -1 2 2 4\n0 1 2 00ff00ff\n",
      "5 3 -2 2 1\n0 1 2 00ff00ff\n",
      "5 3 100000 100000 3\n0 1 2 00\n",
      "5 3 2 2 4\n0 1 2 00ff00ff\n",
      "5 4 2 2 1\n0 1 2 00ff00ff\n1 1 2 00ff00f\n2 1 2 zzzzzzzz\n<b>3 1</b>\n4 <i> 2 00ff00ff",
  };
  mho_errinfo ei;
  char *json = config_json(0, NULL);
  begin("r1", "strange", json);
  free(json);

  for (int i = 0; i < MHO_COUNT(texts); i++) {
    bool has_one = i + 1 == MHO_COUNT(texts);
    OK(mho_store_artifact(store, "r1", "mistakes", "test", texts[i], strlen(texts[i]), &ei));
    char *html = write_report("r1");
    check_html(html);
    assert_true(has_one == (strstr(html, "What it gets wrong") != NULL));
    assert_null(strstr(html, "<b>"));
    const char *first = strstr(html, "taken for 2");
    assert_true(has_one == (first != NULL) && !(first && strstr(first + 1, "taken for 2")));
    free(html);
  }
}

static void test_odd_numbers(void **state) {
  mho_errinfo ei;
  char *json = config_json(0, NULL);
  begin("r1", NULL, json);
  free(json);
  for (int i = 3; i < 5; i++) { /* an epoch missing, everything unknown or out of bounds */
    mho_epoch_row e = {.epoch = i,
                       .train_acc = NAN,
                       .test_acc = NAN,
                       .val_acc = NAN,
                       .loss = i == 3 ? (double)INFINITY : -1e300,
                       .settle_steps = NAN,
                       .unsettled = INT64_MAX,
                       .pulses = 1e18,
                       .wall_s = -1,
                       .eval_s = NAN};
    OK(mho_store_write(store, "r1", &(mho_store_update){.epoch = &e}, &ei));
  }
  char *html = write_report("r1");
  check_html(html);
  assert_null(strstr(html, "nan"));
  assert_null(strstr(html, "inf<"));
  free(html);
}

static void test_long_run_stays_small(void **state) {
  fake_run("r1", "long", 5000, 0.5);
  char *html = write_report("r1");
  check_html(html);
  assert_in_range(strlen(html), 1000, 300000);
  HAS(html, "<th scope=\"row\" class=\"n\">5000</th>");
  if (have_gnuplot())
    HAS(html, "One of every 7 epochs is drawn.");
  free(html);
}

/* Without gnuplot, and with one that writes rubbish or dies, the page says so and is whole. */
static void test_bad_gnuplot(void **state) {
  static const char *const script[] = {NULL, "#!/bin/sh\necho '<svg>rubbish'\n",
                                       "#!/bin/sh\nexit 3\n", "#!/bin/sh\nkill -9 $$\n"};
  static const char *const words[] = {"gnuplot is not installed", "gnuplot wrote no plot",
                                      "exit code 3", "signal 9"};
  char path[128];
  snprintf(path, sizeof path, "%s/gnuplot", folder);
  fake_run("r1", "x", 5, (double)NAN);
  setenv("PATH", folder, 1);
  for (int i = 0; i < MHO_COUNT(script); i++) {
    if (script[i]) {
      FILE *f = fopen(path, "w");
      fputs(script[i], f);
      fclose(f);
      chmod(path, 0700);
    }
    char *html = write_report("r1");
    check_html(html);
    HAS(html, words[i]);
    HAS(html, "95.56\u00a0%");
    assert_null(strstr(html, "<svg"));
    assert_int_equal(n_warnings, 1);
    free(html);
  }
}

/* A run of another version of mho, with a key that this one lacks. */
static void test_unknown_config(void **state) {
  begin("r1", "other",
        "{\"dataset\":{\"name\":\"digits\"},\"network\":{\"hidden\":[7,8],\"<deep>\":{\"a\":{\"b\":"
        "0.1}}},"
        "\"future\":{\"warp\":1e-06,\"on\":true,\"none\":null},\"top\":3}");
  char *html = write_report("r1");
  check_html(html);
  HAS(html, "does not know the run's config");
  HAS(html, "&lt;deep&gt;.a.b</th><td>0.1</td>");
  HAS(html, "warp</th><td>1e-06</td>");
  HAS(html, "<td>[7, 8]</td>");
  HAS(html, "top</th><td>3</td>");
  assert_null(strstr(html, "mho train --seed"));
  free(html);
}

static void test_errors(void **state) {
  mho_errinfo ei = {0};
  FILE *f = fopen("/dev/full", "w");
  assert_int_equal(mho_report_find("run")->write(store, "nobody", f, NULL, &ei), MHO_ENOTFOUND);
  assert_non_null(strstr(ei.message, "nobody"));
  fake_run("r1", "x", 5, (double)NAN);
  assert_int_equal(mho_report_find("run")->write(store, "r1", f, NULL, &ei), MHO_EDISK);
  fclose(f);
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_registry),
      T(test_says_it_all),
      T(test_observables),
      T(test_marks_what_differs),
      T(test_command_makes_it_again),
      T(test_validation_and_failure),
      T(test_without_epochs),
      T(test_strange_mistakes),
      T(test_odd_numbers),
      T(test_long_run_stays_small),
      T(test_bad_gnuplot),
      T(test_unknown_config),
      T(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
