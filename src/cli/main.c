/* main.c - mho <verb> [options].
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/verbs.h"
#include "cli/version.h"
#include "mho/model/num.h"
#include "mho/spice.h"
#include "mho_config.h"

/* A variable that OpenBLAS reads while it is loaded. @return whether it was not there before. */
static bool set_for_blas(const char *name, const char *value) {
  return value && !getenv(name) && !setenv(name, value, 1);
}

static bool is_memory_limited(void) {
  struct rlimit limit;
  return !getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY;
}

/* OpenBLAS picks its kernels while it is loaded, and takes slow ones on a processor newer than
 * itself; and it starts threads, which mho does not use and which try for ever to get a buffer each
 * where memory is limited. What is right must be in the environment before that: start over with
 * it (7 ms, once). execv returns only when it fails: then what is there does. */
static void choose_blas_kernel(char **argv) {
  bool changed = set_for_blas("OPENBLAS_CORETYPE", mho_blas_better_kernel());
  if (is_memory_limited())
    changed = set_for_blas("OPENBLAS_NUM_THREADS", "1") || changed;
  if (changed)
    execv("/proc/self/exe", argv);
}

static void print_version(bool verbose) {
  printf("mho %s (%s)\n", MHO_VERSION, MHO_CODE_VERSION);
  if (!verbose)
    return;

  printf("matrix products  OpenBLAS, kernels %s%s\n", mho_blas_kernel(),
         mho_blas_better_kernel() ? " (slow: this processor could run better ones)" : "");
  printf("scalar           %zu bytes\n", sizeof(mho_real));
  printf("run database     schema %d\n", mho_store_schema_version());
#ifdef MHO_HAVE_NGSPICE
  printf("ngspice          yes\n");
#else
  printf("ngspice          no\n");
#endif
#ifdef MHO_HAVE_CURL
  printf("data fetch       yes\n");
#else
  printf("data fetch       no\n");
#endif
}

static void print_help(void) {
  printf("Usage: mho VERB [OPTION...]\n"
         "Neural networks that live in analog hardware and learn there.\n\n");
  for (int i = 0; i < verb_count(); i++)
    printf("  %-10s %s\n", verb_at(i)->name, verb_at(i)->summary);
  printf(
      "\n'mho VERB --help' says more. For a start:\n"
      "  mho train                                   a network learns 8x8 digits\n"
      "  mho train --set device=soft_bounds --set update.scheme=accumulate\n"
      "  mho init device                             a config with comments, on your own pulses\n"
      "  mho runs                                    what is in " DEFAULT_DB "\n"
      "  mho doctor                                  what this machine has, and what it lacks\n");
}

static int unknown_verb(const char *word) {
  const verb *best = verb_at(0);
  for (int i = 1; i < verb_count(); i++)
    if (mho_text_distance(word, verb_at(i)->name) < mho_text_distance(word, best->name))
      best = verb_at(i);
  if (mho_text_distance(word, best->name) <= 2)
    fprintf(stderr, "mho: there is no verb '%s'; did you mean 'mho %s'?\n", word, best->name);
  else
    fprintf(stderr, "mho: there is no verb '%s'; 'mho --help' lists them\n", word);
  return EXIT_BAD_INPUT;
}

static bool is_one_of(const char *word, const char *a, const char *b) {
  return !strcmp(word, a) || !strcmp(word, b);
}

/* argv[1] is the verb's name, which becomes "mho <verb>" in its messages. */
static int run_verb(const verb *v, int argc, char **argv) {
  char name[64];
  snprintf(name, sizeof name, "mho %s", v->name);
  argv[1] = name;
  int code = v->run(argc - 1, argv + 1);

  /* a full disk must not look like success */
  if (!code && (fflush(stdout) || ferror(stdout))) {
    fprintf(stderr, "mho: cannot write the output\n");
    return EXIT_FAILED;
  }
  return code;
}

/* What only says something of the command, at once: it multiplies no matrices. @return whether the
 * first word is of that kind; *code is its exit code. */
static bool run_saying(int argc, char **argv, int *code) {
  const char *word = argv[1], *name = argc > 2 ? argv[2] : NULL;
  const verb *v = name ? verb_find(name) : NULL;
  *code = EXIT_DONE;

  if (is_one_of(word, "--help", "-h") || !strcmp(word, "help"))
    print_help();
  else if (!strcmp(word, "--complete"))
    print_completions(argc - 2, argv + 2);
  else if (!strcmp(word, "--man") && name && !v)
    *code = unknown_verb(name);
  else if (!strcmp(word, "--man"))
    print_manual(v);
  else
    return false;
  return true;
}

static int run_word(const char *word, int argc, char **argv) {
  if (is_one_of(word, "--version", "-V")) {
    print_version(argc > 2 && is_one_of(argv[2], "-v", "--verbose"));
    return EXIT_DONE;
  }
  const verb *v = verb_find(word);
  return v ? run_verb(v, argc, argv) : unknown_verb(word);
}

int main(int argc, char **argv) {
  argp_err_exit_status = EXIT_BAD_INPUT;
  if (argc < 2) {
    print_help();
    return EXIT_BAD_INPUT;
  }
  int code;
  if (run_saying(argc, argv, &code))
    return code;
  if (!strcmp(argv[1], MHO_SPICE_CHILD)) /* started by mho itself: see mho_spice_isolated */
    return mho_spice_child(0, argc > 2 ? argv[2] : NULL);

  /* a file that may not grow (ulimit -f) is a write that fails, and is said */
  signal(SIGXFSZ, SIG_IGN);
  choose_blas_kernel(argv);
  /* also after starting over: by this name a run knows that it is being trained */
  prctl(PR_SET_NAME, "mho");
  gsl_set_error_handler_off();
  mho_blas_init();
  return run_word(argv[1], argc, argv);
}
