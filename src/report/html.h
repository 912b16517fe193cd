/* html.h - pages that are one file: escaped text, numbers for people, head and foot with the style.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_HTML_H
#define MHO_REPORT_HTML_H

#include <stdio.h>

#include "mho/base.h"

/** Text as HTML, in an element or between double quotes. Null writes nothing. */
void mho__html_text(FILE *out, const char *text);
/** The same of formatted text. */
void mho__html_printf(FILE *out, const char *format, ...) MHO_PRINTF(2, 3);
/** A table cell with text, or with a number, which is aligned right. */
void mho__html_cell(FILE *out, const char *format, ...) MHO_PRINTF(2, 3);
void mho__html_number(FILE *out, const char *format, ...) MHO_PRINTF(2, 3);
/** The beginning of a table row: its heading cell with formatted text. */
void mho__html_row(FILE *out, const char *format, ...) MHO_PRINTF(2, 3);
/** A key figure: its name, its value, and a formatted note. */
void mho__html_tile(FILE *out, const char *name, const char *value, const char *format, ...)
    MHO_PRINTF(4, 5);

/** Head of a page, up to and with <body>; its title is the name and what kind of report it is. */
void mho__html_begin(FILE *out, const char *name, const char *kind);
/** The foot of a page and the end of the document. */
void mho__html_end(FILE *out);
/** Before the end of a page with tables of class "sortable": their heads become buttons that sort
 *  them. */
void mho__html_sortable(FILE *out);
/** A table in a box of its own that scrolls sideways, which the keyboard reaches.
 *  @param kind   its class; nullable.
 *  @param label  what a screen reader calls it.
 *  @param heads  "connection|#weights": a # for a column of numbers. */
void mho__html_table_begin(FILE *out, const char *kind, const char *label, const char *heads);
void mho__html_table_end(FILE *out);

/* Numbers as text, no-break spaces before the units; NaN is a dash. Each returns buf. */
enum { MHO_NUMBER_MAX = 48 };
/** "95.56 %" */
char *mho__percent(double fraction, char buf[MHO_NUMBER_MAX]);
/** "12 345", "4.56 billion" */
char *mho__count(double v, char buf[MHO_NUMBER_MAX]);
/** "2 min 5 s" */
char *mho__duration(double seconds, char buf[MHO_NUMBER_MAX]);
/** "12.3 µS": with the SI prefix that suits */
char *mho__si(double v, const char *unit, char buf[MHO_NUMBER_MAX]);
/** With so many significant digits. */
char *mho__number(double v, int digits, char buf[MHO_NUMBER_MAX]);

#endif
