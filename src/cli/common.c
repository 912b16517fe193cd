/* common.c - options, errors, progress and Ctrl-C of every verb.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

long option_number(struct argp_state *state, const char *name, const char *text, long low,
                   long high) {
  char *end;
  errno = 0;
  long v = strtol(text, &end, 10);
  if (end == text || *end || errno || v < low || v > high)
    argp_error(state, "--%s: '%s' is not a whole number from %ld to %ld", name, text, low, high);
  return v;
}

double option_time(struct argp_state *state, const char *name, const char *text) {
  double v = 0;
  mho_errinfo ei;
  if (mho_quantity_parse(text, "s", false, &v, &ei))
    argp_error(state, "--%s: %s (s, min, h, d, mo, y)", name, ei.message);
  if (!(v >= 0))
    argp_error(state, "--%s: '%s' lies before programming", name, text);
  return v;
}

void note_no_drift(const mho_experiment *e) {
  if (!((const mho_device_model *)e->device.entry)->pulse)
    fprintf(
        stderr,
        "note: device.model ideal has no conductances that could drift: choose another model\n");
  else if (e->device_config.drift.law == MHO_DRIFT_NONE)
    fprintf(stderr, "note: this device does not drift (device.drift.law: none)%s\n",
            e->device_config.read_noise.law == MHO_READ_NOISE_PCM ? "; its read noise may grow"
                                                                  : "");
}

error_t common_option(common_options *o, int key, char *arg, struct argp_state *state) {
  switch (key) {
  case OPTION_DB:
    o->db = arg;
    return 0;
  case OPTION_OUT:
    o->out = arg;
    return 0;
  case OPTION_JSON:
    o->json = true;
    return 0;
  case OPTION_THREADS:
    o->threads = (int)option_number(state, "threads", arg, 1, 1024);
    return 0;
  case OPTION_SET:
    if (o->n_set == MAX_SET)
      argp_error(state, "more than %d --set options", MAX_SET);
    o->set[o->n_set++] = arg;
    return 0;
  case ARGP_KEY_ARG:
    if (o->max_words) {
      if (o->n_words == o->max_words)
        argp_error(state, "too many words: '%s'", arg);
      o->word[o->n_words++] = arg;
      return 0;
    }
    if (!o->verb)
      return ARGP_ERR_UNKNOWN;
    if (o->run)
      argp_error(state, "one RUN, not also '%s'", arg);
    o->run = arg;
    return 0;
  case ARGP_KEY_END:
    if (o->verb && !o->run)
      argp_error(state,
                 "%s which run? an id, a name, an id prefix, or last ('mho runs' lists them)",
                 o->verb);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int report_error(mho_err err, const mho_errinfo *ei) {
  const char *sentence = *ei->message ? ei->message : mho_err_text(err);
  if (*ei->file && ei->line > 0 && ei->col >= 0)
    fprintf(stderr, "mho: %s:%d:%ld: %s\n", ei->file, ei->line, ei->col + 1, sentence);
  else if (*ei->file && ei->line > 0)
    fprintf(stderr, "mho: %s:%d: %s\n", ei->file, ei->line, sentence);
  else if (*ei->file)
    fprintf(stderr, "mho: %s: %s\n", ei->file, sentence);
  else
    fprintf(stderr, "mho: %s\n", sentence);
  return err == MHO_EINTERRUPTED ? EXIT_INTERRUPTED
         : mho_err_is_input(err) ? EXIT_BAD_INPUT
                                 : EXIT_FAILED;
}

/* ---------------------------------------------------------------- files */

FILE *open_out(const char *path, mho_err *err, mho_errinfo *ei) {
  FILE *f = path ? fopen(path, "w") : stdout;
  if (!f)
    *err = mho_fail_at(ei, MHO_EIO, path, 0, "cannot be written: %s", strerror(errno));
  return f;
}

mho_err close_out(FILE *f, const char *path, mho_err err, mho_errinfo *ei) {
  if (!f)
    return err;
  bool bad = ferror(f) != 0;
  bad = (path ? fclose(f) : fflush(f)) || bad;
  return bad && !err ? mho_fail_at(ei, MHO_EIO, path ? path : "standard output", 0,
                                   "cannot be written: %s", strerror(errno))
                     : err;
}

mho_err write_text(const char *path, const char *text, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  FILE *f = open_out(path, &err, ei);
  if (f)
    fputs(text, f);
  return close_out(f, path, err, ei);
}

/* ---------------------------------------------------------------- progress bar */

static volatile sig_atomic_t stop_requested;

static void on_interrupt(int sig) {
  if (stop_requested) /* the second Ctrl-C means it */
    _exit(EXIT_INTERRUPTED);
  stop_requested = 1;
  static const char text[] =
      "\nmho: stopping after this batch (Ctrl-C again: at once, losing the epoch)\n";
  if (isatty(STDERR_FILENO))
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

static void show_progress(void *user, const char *what, long done, long total, const char *note) {
  static double last;
  double now = mho_seconds();
  if (now - last < 0.1 && done < total)
    return;
  last = now;
  enum { WIDTH = 30 };
  char bar[WIDTH + 1];
  int full = total > 0 ? (int)(WIDTH * done / total) : 0;
  for (int i = 0; i < WIDTH; i++)
    bar[i] = i < full ? '#' : '.';
  bar[WIDTH] = 0;
  if (done >= total)
    fprintf(stderr, "\r\033[K");
  else
    fprintf(stderr, "\r%s [%s] %ld/%ld %s\033[K", what, bar, done, total, note ? note : "");
  fflush(stderr);
}

static void show_log(void *user, mho_log_level level, const char *message) {
  fprintf(stderr, "mho: %s%s\n", level == MHO_LOG_WARNING ? "warning: " : "", message);
}

mho_err session_open(session *s, int threads, mho_errinfo *ei) {
  *s = (session){.ctx = {.log = show_log, .stop = &stop_requested}};
  if (isatty(STDERR_FILENO))
    s->ctx.progress = show_progress;
  mho_err err = mho_registry_new(&s->registry, ei);
  if (!err && threads >= 0)
    err = mho_pool_new(threads, &s->ctx.pool, ei);
  if (err) {
    session_close(s);
    return err;
  }
  struct sigaction act = {.sa_handler = on_interrupt};
  sigaction(SIGINT, &act, NULL);
  sigaction(SIGTERM, &act, NULL);
  return MHO_OK;
}

void session_close(session *s) {
  mho_pool_free(s->ctx.pool);
  mho_registry_free(s->registry);
  *s = (session){0};
}
