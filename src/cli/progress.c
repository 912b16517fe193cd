/* progress.c - what a verb works with: registry, threads, progress bar, Ctrl-C; errors and notes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mho/model/check.h"
#include "mho/model/num.h"

/* ---------------------------------------------------------------- Ctrl-C */

static volatile sig_atomic_t stop_requested, keeps_nothing;
static atomic_flag is_said = ATOMIC_FLAG_INIT; /* that the work was interrupted */

static bool says_first(void) {
  return !atomic_flag_test_and_set(&is_said);
}

/* A second after the first Ctrl-C, when the work may just have said itself that it has stopped. */
static void on_alarm(int sig) {
  static const char text[] = "mho: interrupted\n";
  if (says_first())
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
  _exit(EXIT_INTERRUPTED);
}

/* The first Ctrl-C asks the work to stop; the second ends the process. */
static void on_interrupt(int sig) {
  static const char text[] =
      "\nmho: stopping after this batch (Ctrl-C again: at once, losing the epoch)\n";
  if (stop_requested)
    _exit(EXIT_INTERRUPTED);

  stop_requested = 1;
  if (keeps_nothing)
    alarm(1);
  else if (isatty(STDERR_FILENO))
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

/* ---------------------------------------------------------------- progress bar */

void bar_text(long done, long total, size_t capacity, char *bar) {
  long width = (long)capacity - 1;
  long full = total > 0 ? width * done / total : 0;
  for (long i = 0; i < width; i++)
    bar[i] = i < full ? '#' : '.';
  bar[width] = 0;
}

/* At most ten times a second, one line that is written over. */
static void show_progress(void *user, const char *what, long done, long total, const char *note) {
  static double last;
  double now = mho_seconds();

  if (now - last < 0.1 && done < total)
    return;
  last = now;

  char bar[31];
  bar_text(done, total, sizeof bar, bar);
  if (done >= total)
    fprintf(stderr, "\r\033[K");
  else
    fprintf(stderr, "\r%s [%s] %ld/%ld %s\033[K", what, bar, done, total, note ? note : "");
  fflush(stderr);
}

static void show_log(void *user, mho_log_level level, const char *message) {
  fprintf(stderr, "mho: %s%s\n", level == MHO_LOG_WARNING ? "warning: " : "", message);
}

/* ---------------------------------------------------------------- the context of a verb */

/* OpenBLAS takes a buffer a thread when it first multiplies there, and tries for ever where it does
 * not get it: memory that is limited is asked for room before, and for some more, which a small
 * network takes until then. */
static mho_err check_memory(int threads, mho_errinfo *ei) {
  const size_t buffer = (size_t)128 << 20, more = (size_t)64 << 20;
  const size_t all = (size_t)threads * buffer;
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
    return MHO_OK;

  void *room = mmap(NULL, all + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room != MAP_FAILED) {
    munmap(room, all + more);
    return MHO_OK;
  }
  return mho_fail(ei, MHO_ENOMEM,
                  "memory is limited to %zu MB (ulimit -v); matrix products alone take %zu MB on "
                  "%d thread%s: raise the limit%s",
                  (size_t)limit.rlim_cur >> 20, all >> 20, threads, threads == 1 ? "" : "s",
                  threads == 1 ? "" : ", or use fewer --threads");
}

mho_err environment_open(environment *s, int threads, mho_errinfo *ei) {
  *s = (environment){.ctx = {.log = show_log, .stop = &stop_requested}};
  if (isatty(STDERR_FILENO))
    s->ctx.progress = show_progress;

  mho_err err = mho_registry_new(&s->registry, ei);
  if (!err && threads >= 0)
    err = mho_pool_new(threads, &s->ctx.pool, ei);
  if (!err && threads >= 0)
    err = check_memory(mho_pool_threads(s->ctx.pool), ei);
  if (err) {
    environment_close(s);
    return err;
  }

  struct sigaction act = {.sa_handler = on_interrupt};
  sigaction(SIGINT, &act, NULL);
  sigaction(SIGTERM, &act, NULL);
  return MHO_OK;
}

void environment_keeps_nothing(void) {
  struct sigaction act = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &act, NULL);
  keeps_nothing = 1;
}

void environment_close(environment *s) {
  mho_pool_free(s->ctx.pool);
  mho_registry_free(s->registry);
  *s = (environment){0};
}

/* ---------------------------------------------------------------- errors and notes */

int report_error(mho_err err, const mho_errinfo *ei) {
  if (err == MHO_EINTERRUPTED && !says_first())
    return EXIT_INTERRUPTED;

  const char *sentence = *ei->message ? ei->message : mho_err_text(err);
  fputs("mho: ", stderr);
  if (*ei->file) /* its name and what it quotes may be of others */
    print_plain(stderr, ei->file);
  if (*ei->file && ei->line > 0)
    fprintf(stderr, ":%d", ei->line);
  if (*ei->file && ei->line > 0 && ei->col >= 0)
    fprintf(stderr, ":%ld", ei->col + 1);
  if (*ei->file)
    fputs(": ", stderr);
  print_plain(stderr, sentence);
  fputc('\n', stderr);

  if (err == MHO_EINTERRUPTED)
    return EXIT_INTERRUPTED;
  return mho_err_is_input(err) ? EXIT_BAD_INPUT : EXIT_FAILED;
}

void note_no_drift(const mho_experiment *e) {
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  bool noise_grows = mho_device_noise_is_slow(&e->device_config);
  if (!model->pulse)
    fprintf(stderr, "note: device.model ideal has no conductances that could drift: "
                    "choose another model\n");
  else if (e->device_config.drift.law == MHO_DRIFT_NONE)
    fprintf(stderr, "note: this device does not drift (device.drift.law: none)%s\n",
            noise_grows ? "; its read noise may grow" : "");
}

void warn_slow_kernels(const environment *s) {
  if (mho_blas_better_kernel())
    mho_log(&s->ctx, MHO_LOG_WARNING,
            "matrix products run the slow %s kernels; OPENBLAS_CORETYPE=%s would be faster",
            mho_blas_kernel(), mho_blas_better_kernel());
}
