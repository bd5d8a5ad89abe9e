/* Columns without end through _rows.h, seeded: buffers of exactly as many bytes as they have, some of what they should
   be, offsets that contradict each other, slices of more rows than there are, memory that runs out. AddressSanitizer and
   UBSan watch; what is left to check here is that the rows are rows: fields as many as columns, lengths that add up.

   rows_fuzz SEED ROUNDS */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long live, failing; /* how many blocks there are; how many allocations until one fails */

static void *counted_realloc(void *old, size_t size) {
    if (failing > 0 && --failing == 0) return NULL;
    void *bytes = realloc(old, size);
    if (bytes == NULL) abort();
    live += old == NULL;
    return bytes;
}

#define realloc counted_realloc
#include "_rows.h"
#undef realloc

#define MUST(condition) \
    if (!(condition)) { fprintf(stderr, "line %d: %s\n", __LINE__, #condition); abort(); }

static uint64_t state;

static unsigned below(unsigned limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

#define MOST 5

static byte *buffers[MOST * 8];
static int held;

static view exactly(const byte *bytes, size_t size) {
    byte *copy = malloc(size ? size : 1);
    if (copy == NULL) abort();
    if (size) memcpy(copy, bytes, size);
    buffers[held++] = copy;
    return (view){copy, size};
}

static const char *TEXTS[] = {
    "", "a", "some words", "0", "-12.340", "1e+16", "2.5e-7", "NaN", "nan", "-inf", "1E+131071", "1e-16383", "1e-99999",
    "00.00", "1.2.3", "-", ".", "1e", "1e+", "00000000-0000-0000-0000-000000000001", "{0000000000000000000000000000000a}",
    "0000-0000-0000-0000-0000-0000-0000-0001", "{00000000-0000-0000-0000-000000000001", "00000000000000000000000000000001-",
    "{}", "[1]", "d\xc3\xa9j\xc3\xa0", "123456789012345678901234567890.123456789012345678901234567890",
};

/* a column that is sound, but for what is broken on purpose */
static void fill(column *c, column *elements, int64_t rows, int depth) {
    static byte random[4096], data[4096];
    memset(c, 0, sizeof *c);
    c->wire = (enum wire)below(WIRES + (below(50) == 0));
    c->storage = (enum storage)below(STORAGES + (below(50) == 0));
    c->number = below(9);
    if (c->wire == W_UUID && below(2)) c->storage = S_FIXED, c->number = 16;
    if (c->storage == S_DECIMAL128 || c->storage == S_DECIMAL256) {
        c->number = (int64_t)below(90) - 10;
        if (below(4)) c->wire = W_NUMERIC;
    }
    if (is_span(c->storage)) {
        static const enum wire OF_TEXTS[] = {W_TEXT, W_JSONB, W_NUMERIC, W_UUID, W_BYTES, W_ARRAY};
        c->wire = OF_TEXTS[below(depth ? 5 : 6)];
    } else if (c->storage >= S_INT8 && c->storage <= S_UINT64 && below(8)) {
        static const enum wire OF_NUMBERS[] = {W_INT2, W_INT4, W_INT8, W_FLOAT4, W_FLOAT8, W_NUMERIC};
        c->wire = OF_NUMBERS[below(6)];
        if (c->storage == S_INT32 && below(2)) c->wire = W_DATE;
        if (c->storage == S_INT64 && below(2)) c->wire = (enum wire)(W_TIMESTAMP + (int)below(3));
    } else if (c->storage == S_BITS) c->wire = W_BOOL;
    else if (c->storage == S_FLOAT32) c->wire = W_FLOAT4;
    else if (c->storage == S_FLOAT64) c->wire = W_FLOAT8;
    else if (c->storage == S_NONE) c->wire = W_NULL;
    c->offset = below(19);
    c->rows = below(60) ? rows : (int64_t)below(100);
    size_t last = (size_t)(c->offset + c->rows);
    unsigned style = below(3); /* of numbers: small, large, any */
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (byte)(style == 0 ? (i % 8 == 0 ? below(200) : 0) : style == 1 ? (below(3) ? 0xff : 0x7f) : below(256));
    if (below(3) == 0) c->validity = exactly(random, (last + 7) / 8 - (below(80) == 0 && last));
    size_t used = 0;
    if (is_span(c->storage)) {
        bool is_wide = c->storage == S_SPANS64;
        int64_t end = c->wire == W_ARRAY ? below(40) : 0, first = end;
        for (size_t i = 0; i <= last; i++) {
            int64_t stored = below(400) ? end : (int64_t)below(3) * (INT64_C(1) << 31) - 5;
            if (is_wide) memcpy(random + i * 8, &stored, 8);
            else memcpy(random + i * 4, &(int32_t){(int32_t)stored}, 4);
            if (c->wire == W_ARRAY) {
                end += below(4);
                continue;
            }
            const char *text = TEXTS[below(sizeof TEXTS / sizeof *TEXTS)];
            size_t size = below(6) ? strlen(text) : below(12);
            if (used + size > sizeof data) size = 0;
            for (size_t k = 0; k < size; k++) data[used + k] = below(90) ? (byte)text[k % (strlen(text) + 1)] : (byte)below(256);
            used += size;
            end = (int64_t)used;
        }
        size_t size = (last + 1) * (is_wide ? 8 : 4);
        c->values = exactly(random, below(80) ? size : size - 1 - below((unsigned)size));
        c->data = exactly(data, used && below(80) == 0 ? used - 1 : used);
        if (c->wire == W_ARRAY && below(60)) {
            c->base = first;
            c->elements = elements;
            c->element_oid = below(10000);
            fill(elements, NULL, end - first, 1);
            if (below(40) == 0) c->base += below(5);
        }
    } else {
        size_t size = c->storage == S_BITS ? (last + 7) / 8 : last * (size_t)width_of(c);
        c->values = exactly(random, size && below(80) == 0 ? size - 1 : size);
    }
    if (below(300) == 0) c->offset = below(2) ? -1 : INT64_MAX - 3;
    if (below(300) == 0) c->rows = below(2) ? -1 : INT64_MAX;
}

static uint32_t read32(const byte *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

/* a field's length agrees with its kind */
static void check_field(const column *c, const byte *field, uint32_t size) {
    static const int SIZES[] = {[W_BOOL] = 1, [W_INT2] = 2, [W_INT4] = 4, [W_INT8] = 8, [W_FLOAT4] = 4, [W_FLOAT8] = 8,
                                [W_DATE] = 4, [W_TIMESTAMP] = 8, [W_TIME] = 8, [W_INTERVAL] = 16, [W_UUID] = 16, [W_ARRAY] = 0};
    if (c->wire == W_NUMERIC) MUST(size >= 8 && size == 8 + 2 * ((uint32_t)field[0] << 8 | field[1]));
    if (c->wire == W_NUMERIC)
        for (uint32_t i = 8; i < size; i += 2) MUST(((uint32_t)field[i] << 8 | field[i + 1]) < 10000);
    if (c->wire == W_JSONB) MUST(size >= 1 && field[0] == 1);
    if (c->wire <= W_ARRAY && SIZES[c->wire]) MUST(size == (uint32_t)SIZES[c->wire]);
    if (c->wire != W_ARRAY) return;
    MUST(size >= 12 && read32(field) <= 1);
    uint32_t count = read32(field) ? read32(field + 12) : 0, at = count ? 20 : 12;
    for (uint32_t i = 0; i < count; i++) {
        MUST(at + 4 <= size);
        uint32_t length = read32(field + at);
        at += 4;
        if (length == UINT32_MAX) continue;
        MUST(length <= size - at);
        check_field(c->elements, field + at, length);
        at += length;
    }
    MUST(at == size);
}

static void check_rows(const block *out, const column *columns, int count, int64_t rows) {
    size_t at = 0;
    for (int64_t row = 0; row < rows; row++) {
        MUST(at + 2 <= out->size && (out->bytes[at] << 8 | out->bytes[at + 1]) == count);
        at += 2;
        for (int i = 0; i < count; i++) {
            MUST(at + 4 <= out->size);
            uint32_t size = read32(out->bytes + at);
            at += 4;
            if (size == UINT32_MAX) continue;
            MUST(size <= out->size - at);
            check_field(&columns[i], out->bytes + at, size);
            at += size;
        }
    }
    MUST(at == out->size);
}

int main(int argc, char **argv) {
    MUST(argc == 3);
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
    long rounds = atol(argv[2]), said[4] = {0};
    for (long i = 0; i < rounds; i++) {
        column columns[MOST], elements[MOST];
        int count = (int)below(20) ? 1 + (int)below(MOST - 1) : 0, field;
        int64_t rows = below(12), row;
        for (int k = 0; k < count; k++) fill(&columns[k], &elements[k], rows, 0);
        block out = {0};
        failing = below(20) ? 0 : 1 + below(4);
        enum outcome outcome = put_rows(&out, columns, count, rows, &row, &field);
        failing = 0;
        said[outcome]++;
        MUST(outcome != WRITTEN || row == rows);
        if (outcome == WRITTEN || outcome == REFUSED) check_rows(&out, columns, count, row);
        if (outcome == REFUSED) MUST(row < rows && field < count);
        live -= out.bytes != NULL;
        free(out.bytes);
        MUST(live == 0);
        while (held) free(buffers[--held]);
    }
    printf("written %d refused %d broken %d no_memory %d\n", said[WRITTEN] > 0, said[REFUSED] > 0, said[BROKEN] > 0,
           said[NO_MEMORY] > 0);
    if (getenv("COUNTS")) fprintf(stderr, "%ld %ld %ld %ld\n", said[0], said[1], said[2], said[3]);
    return 0;
}
