/* err.c - error messages, and the context's log and progress.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *text;
  bool input;
} errors[] = {
#define X(name, message, input) {message, input},
    MHO_ERRORS(X)
#undef X
};

const char *mho_err_text(mho_err err) {
  return (unsigned)err < MHO_ERR_COUNT ? errors[err].text : "unknown error";
}

bool mho_err_is_input(mho_err err) {
  return (unsigned)err < MHO_ERR_COUNT && errors[err].input;
}

static void fill(mho_errinfo *ei, const char *file, int line, const char *format, va_list ap) {
  if (!ei)
    return;

  /* the arguments may lie in *ei itself (a message that is wrapped), so format aside first */
  char message[MHO_MESSAGE_MAX], place[MHO_TEXT_MAX];
  vsnprintf(message, sizeof message, format, ap);
  snprintf(place, sizeof place, "%s", file ? file : "");

  memcpy(ei->message, message, sizeof message);
  memcpy(ei->file, place, sizeof place);
  ei->line = line;
  ei->row = ei->col = -1;
}

mho_err mho_fail(mho_errinfo *ei, mho_err err, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fill(ei, NULL, 0, format, ap);
  va_end(ap);
  return err;
}

mho_err mho_fail_at(mho_errinfo *ei, mho_err err, const char *file, int line, const char *format,
                    ...) {
  va_list ap;
  va_start(ap, format);
  fill(ei, file, line, format, ap);
  va_end(ap);
  return err;
}

void mho_log(const mho_context *ctx, mho_log_level level, const char *format, ...) {
  if (!ctx || !ctx->log)
    return;

  char message[MHO_MESSAGE_MAX];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);

  ctx->log(ctx->user, level, message);
}

void mho_progress(const mho_context *ctx, const char *what, long done, long total,
                  const char *note) {
  if (ctx && ctx->progress)
    ctx->progress(ctx->user, what, done, total, note);
}

bool mho_stopped(const mho_context *ctx) {
  return ctx && ctx->stop && *ctx->stop;
}
