/* Results without end through _columns.h, seeded: values that lie in exactly as many bytes as they have, one step from
   well-formed or far from it, lengths and pointers that contradict each other, memory that runs out. AddressSanitizer
   and UBSan watch; what is left to check here is that the columns hold what they say.

   columns_fuzz SEED ROUNDS */

#define _GNU_SOURCE

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

static uint64_t state;

static unsigned below(unsigned limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

static long live, failing; /* how many blocks there are; how many allocations until one fails */

static void *counted_realloc(void *old, size_t size) {
    if (failing > 0 && --failing == 0) return NULL;
    void *bytes = realloc(old, size);
    if (bytes == NULL) abort();
    live += old == NULL;
    return bytes;
}

static void counted_free(void *bytes) {
    live -= bytes != NULL;
    free(bytes);
}

#define realloc counted_realloc
#define free counted_free

#if defined(MREMAP_MAYMOVE)

static size_t mapped;

static void *counted_mmap(void *where, size_t size, int protection, int flags, int file, off_t offset) {
    if (failing > 0 && --failing == 0) return MAP_FAILED;
    mapped += size;
    return mmap(where, size, protection, flags, file, offset);
}

static void *counted_mremap(void *old, size_t size, size_t wanted, int flags, void *where) {
    if (failing > 0 && --failing == 0) return MAP_FAILED;
    if (flags == 0 && below(2)) return MAP_FAILED; /* as if something lay there */
    void *moved = flags ? mremap(old, size, wanted, flags, where) : mremap(old, size, wanted, 0);
    if (moved != MAP_FAILED) mapped -= flags ? size : size - wanted;
    return moved;
}

static int counted_munmap(void *where, size_t size) {
    mapped -= size;
    return munmap(where, size);
}

#define TWO(flags, where, ...) flags, where
#define mmap counted_mmap
#define mremap(old, size, wanted, ...) counted_mremap(old, size, wanted, TWO(__VA_ARGS__, NULL, ))
#define munmap counted_munmap
#endif

#include "_columns.h"
#undef realloc
#undef free

#define MUST(condition) \
    if (!(condition)) { fprintf(stderr, "line %d: %s\n", __LINE__, #condition); abort(); }

typedef struct {
    int length, is_null;
    char *bytes;
} cell;

typedef struct {
    int ntuples, nfields;
    cell *cells;
} table;

static cell *at(const void *result, int row, int column) {
    const table *t = result;
    MUST(row >= 0 && row < t->ntuples && column >= 0 && column < t->nfields);
    return &t->cells[row * t->nfields + column];
}

static int ntuples(const void *t) { return ((const table *)t)->ntuples; }
static int nfields(const void *t) { return ((const table *)t)->nfields; }
static char *getvalue(const void *t, int row, int column) { return at(t, row, column)->bytes; }
static int getlength(const void *t, int row, int column) { return at(t, row, column)->length; }
static int getisnull(const void *t, int row, int column) { return at(t, row, column)->is_null; }
static const accessors LIBPQ = {ntuples, nfields, getvalue, getlength, getisnull};

static const char *WELL_FORMED[][6] = {
    [TEXT] = {"plain words", "a", "d\xc3\xa9j\xc3\xa0 vu", "\xe2\x82\xac", "\xf0\x9f\x98\x80 and so on", "eight by"},
    [INT64] = {"0", "-1", "9223372036854775807", "-9223372036854775808", "123456789", "42"},
    [FLOAT32] = {"0.1", "-1e+20", "3.4028235e+34", "NaN", "-Infinity", "16777217"},
    [FLOAT64] = {"1.4142135623730951", "-1e-05", "9007199254740993", "Infinity", "-0", "123456789012345678e+05"},
    [BOOL] = {"t", "f", "t", "f", "t", "f"},
    [BYTEA] = {"\\x", "\\x00", "\\xdeadbeef", "\\x0123456789abcdef", "\\xff", "\\x5c78"},
    [DATE32] = {"2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31", "1900-02-28", "2000-03-01"},
    [TIMESTAMP] = {"2024-02-29 12:34:56", "0001-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999",
                   "1970-01-01 00:00:00.5", "1969-12-31 23:59:59", "2000-01-01 00:00:00.12"},
    [TIMESTAMPTZ] = {"2024-02-29 12:34:56+00", "1000-01-01 00:00:00.5-15:59", "2024-07-01 00:00:00+05:45",
                     "1969-12-31 23:59:59.999999+01", "9000-01-01 00:00:00-08", "2000-01-01 00:00:00+14"},
    [SCALED] = {"1.50", "-12.34", "0.00", "9999999999999999.99", "-0.01", "123456.78"},
};

/* of the width that the kind has, around zero and around the ends of what it can hold */
static size_t make_binary(enum kind kind, char *bytes) {
    static const size_t WIDTHS[KINDS] = {
        [BINARY_INT16] = 2, [BINARY_INT32] = 4, [BINARY_INT64] = 8, [BINARY_OID] = 4, [BINARY_FLOAT32] = 4,
        [BINARY_FLOAT64] = 8, [BINARY_BOOL] = 1, [BINARY_DATE32] = 4, [BINARY_TIMESTAMP] = 8,
        [BINARY_TIMESTAMPTZ] = 8, [BINARY_UUID] = 16};
    size_t width = WIDTHS[kind];
    char fill = below(4) || kind == BINARY_BOOL ? 0 : (char)0xff;
    memset(bytes, fill, width);
    size_t random = kind == BINARY_DATE32 ? 2 : kind >= BINARY_TIMESTAMP && kind <= BINARY_TIMESTAMPTZ ? 6 : width;
    for (size_t i = width - random; i < width; i++) bytes[i] = (char)(kind == BINARY_BOOL ? below(2) : below(256));
    if (kind != BINARY_BOOL && below(100) == 0) bytes[0] ^= (char)below(256);
    return width;
}

static cell make(enum kind kind, unsigned oddity) {
    cell made = {0, 0, NULL};
    unsigned chance = below(1000);
    if (chance < 150) {
        made.is_null = 1;
        return made;
    }
    char text[80];
    size_t length;
    if (chance < 150 + oddity / 2) {
        length = below(70);
        for (size_t i = 0; i < length; i++) text[i] = (char)below(256);
    } else {
        if (kind > RAW && kind != SCALED) length = make_binary(kind, text);
        else strcpy(text, WELL_FORMED[kind == RAW ? TEXT : kind][below(6)]), length = strlen(text);
        if (chance < 150 + oddity && length) {
            static const char PUT[] = "0919+-.e: \\x\xff\x80tf";
            size_t position = below((unsigned)length);
            if (below(3)) text[position] = below(4) ? PUT[below(sizeof PUT)] : (char)below(256);
            else if (below(2)) length = position; /* the rest is not there */
            else memmove(text + position + 1, text + position, length - position), length++;
        }
    }
    made.length = (int)length;
    made.bytes = malloc(length ? length : 1);
    memcpy(made.bytes, text, length);
    if (length == 0) free(made.bytes), made.bytes = NULL;
    return made;
}

static long stored, refused, broken, no_memory;

static void check(const column *c) {
    MUST(c->nulls >= 0 && c->nulls <= c->rows && (c->nulls == 0) == (c->validity.bytes == NULL));
    MUST(c->values.size == size_of_values(c->kind, c->rows) && c->values.size <= c->values.capacity);
    MUST(size_of(c) == c->values.size + c->data.size + c->validity.size);
    int64_t valid = 0;
    for (int64_t i = 0; i < c->rows && c->nulls; i++) valid += c->validity.bytes[i / 8] >> i % 8 & 1;
    MUST(!c->nulls || valid == c->rows - c->nulls);
    if (!has_data(c->kind)) {
        for (size_t i = 0; i < c->values.size; i++) stored += c->values.bytes[i] == 0;
        return;
    }
    int64_t last = 0, end;
    for (int64_t i = 0; i <= c->rows; i++, last = end) {
        memcpy(&end, c->values.bytes + i * 8, 8);
        MUST(end >= last && (i || end == 0));
    }
    MUST((size_t)last == c->data.size);
    MUST((c->kind != TEXT && c->kind != BINARY_UUID) || is_utf8(c->data.bytes, c->data.size));
}

static void take(column *c, int64_t rows) {
    MUST(c->rows == rows);
    if (rows) {
        finish(c);
        check(c);
    }
    clear(c);
}

static void feed(field *fields, int count, int64_t *rows) {
    table t = {(int)below(below(8) ? 40 : 700), below(50) ? count : (int)below(9), NULL};
    t.cells = calloc((size_t)t.ntuples * (size_t)t.nfields + 1, sizeof *t.cells);
    unsigned oddity = below(3) ? 0 : below(200);
    for (int i = 0; i < t.ntuples * t.nfields; i++) {
        int column = i % t.nfields;
        t.cells[i] = make(column < count ? fields[column].kept.kind : TEXT, oddity);
        if (below(20000) == 0) t.cells[i].length = -(int)below(1u << 31) - 1;
        if (below(20000) == 0) free(t.cells[i].bytes), t.cells[i].bytes = NULL;
    }
    int asked = below(30) ? t.ntuples - (below(4) ? 0 : (int)below((unsigned)t.ntuples + 1)) : (int)below(800) - 50;
    failing = below(10) ? 0 : 1 + (int)below(20);
    source in = {&LIBPQ, &t};
    enum outcome outcome = append(&in, fields, count, asked);
    failing = 0;
    MUST(outcome != REFUSED);
    broken += outcome == BROKEN;
    no_memory += outcome == NO_MEMORY;
    for (int i = 0; i < count; i++) {
        field *f = &fields[i];
        if (outcome != STORED) {
            MUST(f->kept.rows == rows[i] && f->aside.rows == 0);
        } else if (f->is_refused) {
            refused++;
            take(&f->kept, rows[i]);
            take(&f->aside, asked);
            rows[i] = 0;
        } else {
            rows[i] += asked;
            MUST(f->kept.rows == rows[i]);
        }
    }
    for (int i = 0; i < t.ntuples * t.nfields; i++) free(t.cells[i].bytes);
    free(t.cells);
}

int main(int argc, char **argv) {
    MUST(argc == 3);
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
    for (long round = atol(argv[2]); round > 0; round--) {
        int count = (int)below(7);
        field *fields = calloc((size_t)count + 1, sizeof *fields);
        int64_t rows[8] = {0};
        for (int i = 0; i < count; i++) {
            fields[i].kept.kind = (enum kind)below(KINDS);
            fields[i].kept.scale = below(4) ? 2 : (int)below(MOST_DIGITS);
        }
        for (unsigned chunks = 1 + below(6); chunks > 0; chunks--) feed(fields, count, rows);
        for (int i = 0; i < count; i++) take(&fields[i].kept, rows[i]);
        free(fields);
    }
    MUST(live == 0);
#if defined(MREMAP_MAYMOVE)
    MUST(mapped == 0);
#endif
    printf("stored %d refused %d broken %d no_memory %d\n", stored > 0, refused > 100, broken > 10, no_memory > 100);
    return 0;
}
