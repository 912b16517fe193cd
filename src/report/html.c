/* html.c - what every report's page is made of.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/html.h"

#include <math.h>
#include <sha2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/png.h"
#include "report/text.inc" /* style.css and sort.js, as strings */

/* ---------------------------------------------------------------- text */

/* A control character, which has no place in a page. */
static bool is_control(char c) {
  return ((unsigned char)c < ' ' && c != '\n' && c != '\t') || c == 0x7f;
}

/* Text that is UTF-8. */
static void put_text(FILE *out, const char *text) {
  for (const char *t = text; *t; t++)
    switch (*t) {
    case '<':
      fputs("&lt;", out);
      break;
    case '>':
      fputs("&gt;", out);
      break;
    case '&':
      fputs("&amp;", out);
      break;
    case '"':
      fputs("&quot;", out);
      break;
    default:
      if (is_control(*t))
        fputs("\xef\xbf\xbd", out); /* the replacement character */
      else
        fputc(*t, out);
    }
}

/* Names in old databases may be anything: bytes that are no UTF-8 are shown as \xNN. */
void mho__html_text(FILE *out, const char *text) {
  char *plain = text ? mho_text_escape(text, strlen(text), false) : NULL;
  if (plain)
    put_text(out, plain);
  free(plain);
}

static void print_escaped(FILE *out, const char *format, va_list ap) {
  char *text = NULL;
  if (vasprintf(&text, format, ap) < 0)
    return;
  mho__html_text(out, text);
  free(text);
}

void mho__html_printf(FILE *out, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  print_escaped(out, format, ap);
  va_end(ap);
}

/* ---------------------------------------------------------------- page */

/* 'sha256-...' of the script, by which the page's policy lets it run and no other. */
static void print_script_hash(FILE *out) {
  uint8_t d[SHA256_DIGEST_LENGTH];
  SHA2_CTX c;

  SHA256Init(&c);
  SHA256Update(&c, (const uint8_t *)sort_js, sizeof sort_js - 1);
  SHA256Final(d, &c);
  fputs("'sha256-", out);
  mho__base64(out, d, sizeof d);
  fputc('\'', out);
}

void mho__html_sortable(FILE *out) {
  fprintf(out, "<script>%s</script>\n", sort_js);
}

void mho__html_begin(FILE *out, const char *name, const char *kind) {
  /* The policy is a second lock: even text that escaped its escaping could load and run nothing.
   * The empty icon keeps browsers from asking a server for one. */
  fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" "
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src ",
        out);
  print_script_hash(out);
  fputs("\">\n<link rel=\"icon\" href=\"data:,\">\n<title>", out);
  mho__html_printf(out, "%s \xe2\x80\x93 %s", name, kind);
  fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style_css);
}

void mho__html_end(FILE *out) {
  fputs("<footer>Written by mho " MHO_VERSION
        " from the run database alone.</footer>\n</body>\n</html>\n",
        out);
}

/* ---------------------------------------------------------------- tables and tiles */

void mho__html_table_begin(FILE *out, const char *kind, const char *label, const char *heads) {
  fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", out);
  mho__html_text(out, label);
  fputs("\">\n<table", out);
  if (kind)
    fprintf(out, " class=\"%s\"", kind);
  fputs(">\n<thead><tr>", out);

  for (const char *h = heads; h;) {
    bool number = *h == '#';
    const char *word = number ? h + 1 : h;
    fprintf(out, "<th scope=\"col\"%s>", number ? " class=\"n\"" : "");
    mho__html_printf(out, "%.*s", (int)strcspn(word, "|"), word);
    fputs("</th>", out);
    h = strchr(h, '|');
    if (h)
      h++;
  }
  fputs("</tr></thead>\n", out);
}

void mho__html_table_end(FILE *out) {
  fputs("</table>\n</div>\n", out);
}

void mho__html_row(FILE *out, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fputs("<tr><th scope=\"row\">", out);
  print_escaped(out, format, ap);
  fputs("</th>", out);
  va_end(ap);
}

void mho__html_cell(FILE *out, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fputs("<td>", out);
  print_escaped(out, format, ap);
  fputs("</td>", out);
  va_end(ap);
}

void mho__html_number(FILE *out, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fputs("<td class=\"n\">", out);
  print_escaped(out, format, ap);
  fputs("</td>", out);
  va_end(ap);
}

void mho__html_tile(FILE *out, const char *name, const char *value, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fprintf(out, "<div><dt>%s</dt><dd><strong>", name);
  mho__html_text(out, value);
  fputs("</strong> ", out);
  print_escaped(out, format, ap);
  fputs("</dd></div>\n", out);
  va_end(ap);
}

/* ---------------------------------------------------------------- numbers */

/* A space that keeps a number and its unit on one line, and a narrow one between thousands. */
#define NO_BREAK        "\xc2\xa0"
#define NARROW_NO_BREAK "\xe2\x80\xaf"

static char *dash(char buf[MHO_NUMBER_MAX]) {
  strcpy(buf, "\xe2\x80\x93");
  return buf;
}

char *mho__percent(double fraction, char buf[MHO_NUMBER_MAX]) {
  if (!isfinite(fraction))
    return dash(buf);

  double v = 100 * fraction;
  if (v == 0)
    return strcpy(buf, "0" NO_BREAK "%");

  /* a small fraction that is not zero must not look like zero */
  snprintf(buf, MHO_NUMBER_MAX, fabs(v) < 0.005 ? "%.1g" NO_BREAK "%%" : "%.2f" NO_BREAK "%%", v);
  return buf;
}

/* A whole number with its digits in groups of three. */
static void print_grouped(double v, char buf[MHO_NUMBER_MAX]) {
  char digits[MHO_NUMBER_MAX];
  int n = snprintf(digits, sizeof digits, "%.0f", v), at = 0;
  int first = *digits == '-';

  for (int i = 0; i < n; i++) {
    if (i > first && (n - i) % 3 == 0)
      at += snprintf(buf + at, (size_t)(MHO_NUMBER_MAX - at), NARROW_NO_BREAK);
    buf[at++] = digits[i];
  }
  buf[at] = 0;
}

char *mho__count(double v, char buf[MHO_NUMBER_MAX]) {
  if (!isfinite(v))
    return dash(buf);

  double size = fabs(v);
  if (size >= 1e15)
    snprintf(buf, MHO_NUMBER_MAX, "%.4g", v);
  else if (size >= 1e12)
    snprintf(buf, MHO_NUMBER_MAX, "%.4g" NO_BREAK "trillion", v / 1e12);
  else if (size >= 1e9)
    snprintf(buf, MHO_NUMBER_MAX, "%.4g" NO_BREAK "billion", v / 1e9);
  else
    print_grouped(v, buf);

  return buf;
}

char *mho__duration(double s, char buf[MHO_NUMBER_MAX]) {
  if (!isfinite(s) || s < 0)
    return dash(buf);
  if (s < 1)
    return mho__si(s, "s", buf);

  long t = lrint(fmin(s, 1e12));
  if (s < 99.95)
    snprintf(buf, MHO_NUMBER_MAX, "%.1f" NO_BREAK "s", s);
  else if (t < 3600)
    snprintf(buf, MHO_NUMBER_MAX, "%ld" NO_BREAK "min %ld" NO_BREAK "s", t / 60, t % 60);
  else if (t < 86400)
    snprintf(buf, MHO_NUMBER_MAX, "%ld" NO_BREAK "h %ld" NO_BREAK "min", t / 3600, t % 3600 / 60);
  else
    snprintf(buf, MHO_NUMBER_MAX, "%ld" NO_BREAK "d %ld" NO_BREAK "h", t / 86400, t % 86400 / 3600);

  return buf;
}

char *mho__si(double v, const char *unit, char buf[MHO_NUMBER_MAX]) {
  static const struct {
    const char *text;
    double factor;
  } prefix[] = {{"G", 1e9},         {"M", 1e6},  {"k", 1e3},   {"", 1},     {"m", 1e-3},
                {"\xc2\xb5", 1e-6}, {"n", 1e-9}, {"p", 1e-12}, {"f", 1e-15}};
  if (!isfinite(v))
    return dash(buf);
  if (!*unit || !strcmp(unit, "1")) {
    snprintf(buf, MHO_NUMBER_MAX, "%.3g", v);
    return buf;
  }

  /* a value below 1000 of a prefix's units when three digits are shown */
  for (int i = 0; i < MHO_COUNT(prefix); i++)
    if (fabs(v) >= prefix[i].factor * 0.9995 && fabs(v) < 1e12) {
      snprintf(buf, MHO_NUMBER_MAX, "%.3g" NO_BREAK "%s%s", v / prefix[i].factor, prefix[i].text,
               unit);
      return buf;
    }
  snprintf(buf, MHO_NUMBER_MAX, "%.3g" NO_BREAK "%s", v, unit);
  return buf;
}

char *mho__number(double v, int digits, char buf[MHO_NUMBER_MAX]) {
  if (!isfinite(v))
    return dash(buf);
  snprintf(buf, MHO_NUMBER_MAX, "%.*g", digits, v);
  return buf;
}
