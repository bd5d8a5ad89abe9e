/* Rows of COPY BINARY out of columns in Arrow's layout; knows neither Python nor where the columns came from.

Every value either has one meaning in PostgreSQL's binary format or is REFUSED, naming its row and column, and what was
written before it ends with a whole row. The buffers are not trusted, they may come out of anybody's file: each index
and each offset is compared with the size of what it points into, as it is read, and columns that contradict themselves
are BROKEN. Numbers are read by memcpy, because a slice of a file need not be aligned.

A header, so that a fuzzer compiles exactly this. */

#ifndef TUSK_ROWS_H
#define TUSK_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_MSC_VER)
#define ALWAYS_INLINE __forceinline
#else
#define ALWAYS_INLINE inline __attribute__((always_inline))
#endif

typedef unsigned char byte;

/* what is written; the order is copy_binary.py's */
enum wire {
    W_NULL, W_BOOL, W_INT2, W_INT4, W_INT8, W_FLOAT4, W_FLOAT8, W_NUMERIC, W_DATE, W_TIMESTAMP, W_TIME, W_INTERVAL,
    W_UUID, W_TEXT, W_BYTES, W_JSONB, W_ARRAY, WIRES
};

/* what is read; likewise */
enum storage {
    S_NONE, S_BITS, S_INT8, S_INT16, S_INT32, S_INT64, S_UINT8, S_UINT16, S_UINT32, S_UINT64, S_FLOAT32, S_FLOAT64,
    S_DECIMAL128, S_DECIMAL256, S_FIXED, S_SPANS32, S_SPANS64, STORAGES
};

enum outcome { WRITTEN, REFUSED, BROKEN, NO_MEMORY };

typedef struct {
    const byte *bytes;
    size_t size;
} view;

/* number: a decimal's scale, or the bytes of one S_FIXED; validity has no bytes where nothing is NULL.
   Lists are spans of elements, of which the first in memory is number `base`. */
typedef struct column {
    enum wire wire;
    enum storage storage;
    int64_t number, offset, rows;
    bool may_hold_nul;
    view validity, values, data;
    struct column *elements;
    int64_t base;
    uint32_t element_oid;
} column;

typedef struct {
    byte *bytes;
    size_t size, capacity;
} block;

/* -- memory ----------------------------------------------------------------------------------------------------- */

static bool grow(block *b, size_t more) {
    if (more > SIZE_MAX / 2 - b->size) return false;
    size_t grown = b->capacity + b->capacity / 2, size = b->size + more;
    if (grown < size) grown = size;
    if (grown < 256) grown = 256;
    byte *bytes = realloc(b->bytes, grown);
    if (bytes == NULL) return false;
    b->bytes = bytes;
    b->capacity = grown;
    return true;
}

static ALWAYS_INLINE bool reserve(block *b, size_t more) { return more <= b->capacity - b->size || grow(b, more); }

/* -- numbers, big end first; room was reserved ------------------------------------------------------------------ */

static ALWAYS_INLINE void put16(block *b, uint32_t value) {
    byte *at = b->bytes + b->size;
    at[0] = (byte)(value >> 8);
    at[1] = (byte)value;
    b->size += 2;
}

static ALWAYS_INLINE void set32(byte *at, uint32_t value) {
    at[0] = (byte)(value >> 24);
    at[1] = (byte)(value >> 16);
    at[2] = (byte)(value >> 8);
    at[3] = (byte)value;
}

static ALWAYS_INLINE void put32(block *b, uint32_t value) {
    set32(b->bytes + b->size, value);
    b->size += 4;
}

static ALWAYS_INLINE void put64(block *b, uint64_t value) {
    set32(b->bytes + b->size, (uint32_t)(value >> 32));
    set32(b->bytes + b->size + 4, (uint32_t)value);
    b->size += 8;
}

static ALWAYS_INLINE bool put_bytes(block *b, const byte *bytes, size_t size) {
    if (!reserve(b, size)) return false;
    if (size) memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
    return true;
}

/* -- what a column holds ---------------------------------------------------------------------------------------- */

static int64_t width_of(const column *c) {
    switch (c->storage) {
    case S_INT8: case S_UINT8: return 1;
    case S_INT16: case S_UINT16: return 2;
    case S_INT32: case S_UINT32: case S_FLOAT32: case S_SPANS32: return 4;
    case S_INT64: case S_UINT64: case S_FLOAT64: case S_SPANS64: return 8;
    case S_DECIMAL128: return 16;
    case S_DECIMAL256: return 32;
    case S_FIXED: return c->number;
    default: return 0;
    }
}

static inline bool is_span(enum storage s) { return s == S_SPANS32 || s == S_SPANS64; }

static inline bool is_integer(enum storage s) { return s >= S_INT8 && s <= S_UINT64; }

/* whether values of this storage can be written so at all */
static bool is_pair(const column *c) {
    enum storage s = c->storage;
    switch (c->wire) {
    case W_NULL: return s == S_NONE;
    case W_BOOL: return s == S_BITS;
    case W_INT2: case W_INT4: case W_INT8: return is_integer(s);
    case W_FLOAT4: return is_integer(s) || s == S_FLOAT32;
    case W_FLOAT8: return is_integer(s) || s == S_FLOAT64;
    case W_NUMERIC: return is_integer(s) || s == S_DECIMAL128 || s == S_DECIMAL256 || is_span(s);
    case W_DATE: return s == S_INT32;
    case W_TIMESTAMP: case W_TIME: case W_INTERVAL: return s == S_INT64;
    case W_UUID: return is_span(s) || (s == S_FIXED && c->number == 16);
    case W_TEXT: case W_JSONB: return is_span(s);
    case W_BYTES: return is_span(s) || s == S_FIXED;
    case W_ARRAY: return is_span(s) && c->elements != NULL && c->elements->wire != W_ARRAY;
    default: return false;
    }
}

/* whether the buffers have as many rows as the column says; offsets are looked at as they are used */
static bool is_sound(const column *c) {
    if (!is_pair(c) || c->offset < 0 || c->rows < 0 || c->offset > INT64_MAX / 64 || c->rows > INT64_MAX / 64) return false;
    if ((c->storage == S_DECIMAL128 || c->storage == S_DECIMAL256) && (c->number < -100 || c->number > 100)) return false;
    if (c->storage == S_FIXED && (c->number < 0 || c->number > INT32_MAX)) return false;
    uint64_t last = (uint64_t)(c->offset + c->rows);
    if (c->validity.bytes && (last + 7) / 8 > c->validity.size) return false;
    if (c->storage == S_BITS && (last + 7) / 8 > c->values.size) return false;
    uint64_t width = (uint64_t)width_of(c);
    /* no offsets at all are those of no rows */
    if (is_span(c->storage) && c->rows > 0) last++;
    if (width && last > c->values.size / width) return false;
    if (c->wire != W_ARRAY) return true;
    return c->base >= 0 && is_sound(c->elements);
}

static ALWAYS_INLINE bool bit(const byte *bits, int64_t index) { return bits[index >> 3] >> (index & 7) & 1; }

static ALWAYS_INLINE const byte *fixed(const column *c, int64_t row, int width) {
    return c->values.bytes + (size_t)(c->offset + row) * (size_t)width;
}

#define READ(type, name)                       \
    type name;                                 \
    memcpy(&name, fixed(c, row, sizeof name), sizeof name)

/* an integer's bits, and whether they mean a negative one */
static ALWAYS_INLINE uint64_t read_integer(const column *c, int64_t row, bool *is_negative) {
    int64_t number = 0;
    switch (c->storage) {
    case S_INT8: { READ(int8_t, n); number = n; break; }
    case S_INT16: { READ(int16_t, n); number = n; break; }
    case S_INT32: { READ(int32_t, n); number = n; break; }
    case S_INT64: { READ(int64_t, n); number = n; break; }
    case S_UINT8: { READ(uint8_t, n); number = n; break; }
    case S_UINT16: { READ(uint16_t, n); number = n; break; }
    case S_UINT32: { READ(uint32_t, n); number = n; break; }
    default: { READ(uint64_t, n); *is_negative = false; return n; }
    }
    *is_negative = number < 0;
    return (uint64_t)number;
}

static ALWAYS_INLINE bool read_span(const column *c, int64_t row, int64_t *start, int64_t *end) {
    if (c->storage == S_SPANS32) {
        int32_t pair[2];
        memcpy(pair, fixed(c, row, 4), 8);
        *start = pair[0];
        *end = pair[1];
    } else {
        int64_t pair[2];
        memcpy(pair, fixed(c, row, 8), 16);
        *start = pair[0];
        *end = pair[1];
    }
    return *start >= 0 && *end >= *start;
}

static ALWAYS_INLINE bool read_text(const column *c, int64_t row, const byte **text, int64_t *size) {
    if (c->storage == S_FIXED) {
        *size = c->number;
        *text = *size ? c->values.bytes + (size_t)(c->offset + row) * (size_t)c->number : (const byte *)"";
        return true;
    }
    int64_t start, end;
    if (!read_span(c, row, &start, &end) || (uint64_t)end > c->data.size) return false;
    *size = end - start;
    *text = *size ? c->data.bytes + start : (const byte *)"";
    return true;
}

/* -- numeric: groups of four digits, the last of them first ------------------------------------------------------ */

#define POSITIVE 0x0000u
#define NEGATIVE 0x4000u
#define NAN_SIGN 0xC000u
#define INFINITE 0xD000u
#define INFINITE_BELOW 0xF000u

/* groups[0] is worth 10000^least; there is room for them */
static ALWAYS_INLINE void put_groups(block *out, const uint16_t *groups, int count, int least, unsigned sign, int scale) {
    while (count > 0 && groups[count - 1] == 0) count--;
    while (count > 0 && *groups == 0) groups++, count--, least++;
    put32(out, 8 + 2 * (uint32_t)count);
    put16(out, (uint32_t)count);
    put16(out, count ? (uint32_t)(count - 1 + least) : 0);
    put16(out, count ? sign : POSITIVE);
    put16(out, scale > 0 ? (uint32_t)scale : 0);
    for (int i = count; i-- > 0;) put16(out, groups[i]);
}

/* floor(dividend / 4) */
static ALWAYS_INLINE int quarter(int dividend) { return dividend >= 0 ? dividend / 4 : -((3 - dividend) / 4); }

static const uint32_t TENS[] = {1, 10, 100, 1000, 10000};

/* divides value by 10^digits, and returns what is left of it, moved up to four digits: constants divide quickly */
static ALWAYS_INLINE uint16_t split(uint64_t *value, int digits) {
    uint64_t whole = *value;
    switch (digits) {
    case 1: *value = whole / 10; return (uint16_t)((whole - *value * 10) * 1000);
    case 2: *value = whole / 100; return (uint16_t)((whole - *value * 100) * 100);
    case 3: *value = whole / 1000; return (uint16_t)((whole - *value * 1000) * 10);
    default: *value = whole / 10000; return (uint16_t)(whole - *value * 10000);
    }
}

static ALWAYS_INLINE void put_small(block *out, uint64_t value, unsigned sign, int scale) {
    uint16_t groups[8];
    /* odd: how many digits the lowest group has to take, 1 to 4 */
    int count = 0, least = quarter(-scale), odd = scale + 4 * least + 4;
    if (odd < 4) groups[count++] = split(&value, odd);
    while (value) groups[count++] = split(&value, 4);
    put_groups(out, groups, count, least, sign, scale);
}

static ALWAYS_INLINE uint32_t divide(uint32_t *limbs, int *count, uint32_t divisor) {
    uint64_t rest = 0;
    for (int i = *count; i-- > 0;) {
        uint64_t part = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(part / divisor);
        rest = part % divisor;
    }
    while (*count > 0 && limbs[*count - 1] == 0) --*count;
    return (uint32_t)rest;
}

/* Arrow's decimals: two's complement, low limb first (its buffers are of the machine's byte order, and so little-endian
   wherever this is built: copy_binary.py says no elsewhere) */
static void put_decimal(block *out, const column *c, int64_t row) {
    uint32_t limbs[8];
    int count = c->storage == S_DECIMAL128 ? 4 : 8, scale = (int)c->number;
    memcpy(limbs, fixed(c, row, count * 4), (size_t)count * 4);
    bool is_negative = limbs[count - 1] >> 31;
    uint64_t carry = is_negative;
    for (int i = 0; is_negative && i < count; i++) {
        carry += (uint32_t)~limbs[i];
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    while (count > 0 && limbs[count - 1] == 0) count--;
    unsigned sign = is_negative ? NEGATIVE : POSITIVE;
    if (count <= 2) {
        uint64_t value = (count > 0 ? limbs[0] : 0) | (uint64_t)(count > 1 ? limbs[1] : 0) << 32;
        put_small(out, value, sign, scale);
        return;
    }
    uint16_t groups[24]; /* 256 bits are 78 digits */
    int filled = 0, least = quarter(-scale), odd = scale + 4 * least + 4;
    if (odd < 4) groups[filled++] = (uint16_t)(divide(limbs, &count, TENS[odd]) * TENS[4 - odd]);
    while (count > 0) groups[filled++] = (uint16_t)divide(limbs, &count, 10000);
    put_groups(out, groups, filled, least, sign, scale);
}

/* most decimals fit into 64 bits */
static ALWAYS_INLINE void put_decimal128(block *out, const column *c, int64_t row) {
    int64_t halves[2];
    memcpy(halves, fixed(c, row, 16), 16);
    if (halves[1] != -(halves[0] < 0)) {
        put_decimal(out, c, row);
        return;
    }
    bool is_negative = halves[0] < 0;
    put_small(out, is_negative ? 0 - (uint64_t)halves[0] : (uint64_t)halves[0], is_negative ? NEGATIVE : POSITIVE, (int)c->number);
}

static ALWAYS_INLINE bool is_word(const byte *text, int64_t size, const char *word) {
    return size == (int64_t)strlen(word) && memcmp(text, word, (size_t)size) == 0;
}

static enum outcome put_special(block *out, const byte *text, int64_t size) {
    unsigned sign;
    if (is_word(text, size, "NaN") || is_word(text, size, "nan")) sign = NAN_SIGN;
    else if (is_word(text, size, "Infinity") || is_word(text, size, "inf")) sign = INFINITE;
    else if (is_word(text, size, "-Infinity") || is_word(text, size, "-inf")) sign = INFINITE_BELOW;
    else return REFUSED;
    if (!reserve(out, 12)) return NO_MEMORY;
    put32(out, 8);
    put32(out, 0);
    put16(out, sign);
    put16(out, 0);
    return WRITTEN;
}

/* «-12.340e-5», as Python and Arrow write it: the digits after the point are the scale, less the exponent. The server
   takes zeros away at both ends by itself. */
static enum outcome put_numeral(block *out, const byte *text, int64_t size) {
    const byte *at = text, *end = text + size, *digits;
    bool is_negative = at < end && *at == '-';
    at += is_negative;
    digits = at;
    int64_t count = 0, after = 0, exponent = 0;
    bool is_fraction = false;
    for (; at < end; at++) {
        if (*at == '.' && !is_fraction) is_fraction = true;
        else if ((unsigned)*at - '0' > 9) break;
        else count++, after += is_fraction;
    }
    if (count == 0) return put_special(out, text, size);
    const byte *stop = at;
    if (at < end) {
        if ((*at != 'e' && *at != 'E') || end - at < 2 || end - at > 8) return REFUSED;
        bool is_down = at[1] == '-', is_signed = is_down || at[1] == '+';
        at += 1 + is_signed;
        if (at == end) return REFUSED;
        for (; at < end; at++) {
            if ((unsigned)*at - '0' > 9) return REFUSED;
            exponent = exponent * 10 + (*at - '0');
        }
        if (is_down) exponent = -exponent;
    }
    int64_t scale = after - exponent, first = count - 1 - scale;
    if (count > 200000 || scale > 16383 || scale < -200000 || first >= 4 * (INT16_MAX + 1)) return REFUSED;
    int weight = quarter((int)first), least = quarter((int)-scale), place = (int)first - 4 * weight;
    size_t groups = (size_t)(weight - least + 1);
    if (!reserve(out, 12 + 2 * groups)) return NO_MEMORY;
    put32(out, 8 + 2 * (uint32_t)groups);
    put16(out, (uint32_t)groups);
    put16(out, (uint32_t)weight);
    put16(out, is_negative ? NEGATIVE : POSITIVE);
    put16(out, scale > 0 ? (uint32_t)scale : 0);
    uint32_t group = 0;
    for (at = digits; at < stop; at++) {
        if (*at == '.') continue;
        group += (uint32_t)(*at - '0') * TENS[place--];
        if (place >= 0) continue;
        put16(out, group);
        group = 0;
        place = 3;
    }
    if (place < 3) put16(out, group);
    return WRITTEN;
}

/* -- one value -------------------------------------------------------------------------------------------------- */

#define EPOCH_DAYS 10957 /* 2000-01-01, in days of 1970 */
#define DAY_US INT64_C(86400000000)

static ALWAYS_INLINE enum outcome put_integer(block *out, const column *c, int64_t row) {
    bool is_negative;
    uint64_t bits = read_integer(c, row, &is_negative);
    uint64_t size = is_negative ? 0 - bits : bits;
    if (c->wire == W_NUMERIC) {
        put_small(out, size, is_negative ? NEGATIVE : POSITIVE, 0);
        return WRITTEN;
    }
    if (c->wire == W_FLOAT4) {
        float number = is_negative ? -(float)size : (float)size;
        uint32_t as;
        memcpy(&as, &number, 4);
        put32(out, 4);
        put32(out, as);
        return WRITTEN;
    }
    if (c->wire == W_FLOAT8) {
        double number = is_negative ? -(double)size : (double)size;
        uint64_t as;
        memcpy(&as, &number, 8);
        put32(out, 8);
        put64(out, as);
        return WRITTEN;
    }
    unsigned top = c->wire == W_INT2 ? 15 : c->wire == W_INT4 ? 31 : 63;
    if (size > ((uint64_t)1 << top) - !is_negative) return REFUSED;
    put32(out, (top + 1) / 8);
    if (c->wire == W_INT2) put16(out, (uint32_t)bits);
    else if (c->wire == W_INT4) put32(out, (uint32_t)bits);
    else put64(out, bits);
    return WRITTEN;
}

static ALWAYS_INLINE enum outcome put_moment(block *out, const column *c, int64_t row) {
    if (c->wire == W_DATE) {
        READ(int32_t, days);
        /* PostgreSQL's days: 4714-11-24 BC to 5874897-12-31; beyond are its infinities */
        int64_t number = (int64_t)days - EPOCH_DAYS;
        if (number < -2451545 || number >= INT64_C(2145031949)) return REFUSED;
        put32(out, 4);
        put32(out, (uint32_t)number);
        return WRITTEN;
    }
    READ(int64_t, number);
    if (c->wire == W_INTERVAL) {
        int64_t days = number / DAY_US;
        put32(out, 16);
        put64(out, (uint64_t)(number - days * DAY_US));
        put32(out, (uint32_t)days);
        put32(out, 0);
        return WRITTEN;
    }
    if (c->wire == W_TIME) {
        if (number < 0 || number >= DAY_US) return REFUSED;
    } else {
        /* from 4714-11-24 BC; an int64 of 1970 ends before PostgreSQL does */
        if (number < INT64_C(-210866803200000000)) return REFUSED;
        number -= EPOCH_DAYS * DAY_US;
    }
    put32(out, 8);
    put64(out, (uint64_t)number);
    return WRITTEN;
}

static ALWAYS_INLINE int hexadecimal(byte character) {
    if ((unsigned)character - '0' <= 9) return character - '0';
    unsigned letter = ((unsigned)character | 0x20) - 'a';
    return letter <= 5 ? (int)letter + 10 : -1;
}

/* in braces or not, a hyphen after any four digits but the last: what uuid_in takes */
static enum outcome put_uuid(block *out, const byte *text, int64_t size) {
    const byte *at = text, *end = text + size;
    bool in_braces = at < end && *at == '{';
    at += in_braces;
    byte found[16];
    for (int i = 0; i < 16; i++) {
        if (end - at < 2) return REFUSED;
        int high = hexadecimal(at[0]), low = hexadecimal(at[1]);
        if (high < 0 || low < 0) return REFUSED;
        found[i] = (byte)(high << 4 | low);
        at += 2;
        if (i % 2 && i < 15 && at < end && *at == '-') at++;
    }
    if (in_braces && (at == end || *at++ != '}')) return REFUSED;
    if (at != end) return REFUSED;
    put32(out, 16);
    memcpy(out->bytes + out->size, found, 16);
    out->size += 16;
    return WRITTEN;
}

static ALWAYS_INLINE enum outcome put_text(block *out, const column *c, int64_t row) {
    const byte *text;
    int64_t size;
    if (!read_text(c, row, &text, &size)) return BROKEN;
    if (c->wire == W_NUMERIC) return put_numeral(out, text, size);
    if (c->wire == W_UUID && c->storage != S_FIXED) return put_uuid(out, text, size);
    bool has_version = c->wire == W_JSONB;
    if (size > INT32_MAX - 8) return REFUSED;
    if (c->may_hold_nul && size && memchr(text, 0, (size_t)size)) return REFUSED;
    if (!reserve(out, (size_t)size + 5)) return NO_MEMORY;
    put32(out, (uint32_t)size + has_version);
    if (has_version) out->bytes[out->size++] = 1;
    return put_bytes(out, text, (size_t)size) ? WRITTEN : NO_MEMORY;
}

/* the row is there; lists are none of these */
static ALWAYS_INLINE enum outcome put_scalar(block *out, const column *c, int64_t row) {
    /* for all that is of one size, and decimals */
    if (!reserve(out, 64)) return NO_MEMORY;
    if (c->wire == W_NULL || (c->validity.bytes && !bit(c->validity.bytes, c->offset + row))) {
        put32(out, UINT32_MAX);
        return WRITTEN;
    }
    if (is_integer(c->storage) && c->wire < W_DATE) return put_integer(out, c, row);
    switch (c->storage) {
    case S_BITS:
        put32(out, 1);
        out->bytes[out->size++] = bit(c->values.bytes, c->offset + row);
        return WRITTEN;
    case S_FLOAT32: {
        READ(uint32_t, bits);
        if ((bits & 0x7fffffffu) > 0x7f800000u) bits = 0x7fc00000u; /* the server's NaN is one */
        put32(out, 4);
        put32(out, bits);
        return WRITTEN;
    }
    case S_FLOAT64: {
        READ(uint64_t, bits);
        if ((bits & INT64_MAX) > UINT64_C(0x7ff0) << 48) bits = UINT64_C(0x7ff8) << 48;
        put32(out, 8);
        put64(out, bits);
        return WRITTEN;
    }
    case S_DECIMAL128: put_decimal128(out, c, row); return WRITTEN;
    case S_DECIMAL256: put_decimal(out, c, row); return WRITTEN;
    case S_INT32: case S_INT64: return put_moment(out, c, row);
    default: return put_text(out, c, row);
    }
}

static enum outcome put_array(block *out, const column *c, int64_t row) {
    if (c->validity.bytes && !bit(c->validity.bytes, c->offset + row)) {
        if (!reserve(out, 4)) return NO_MEMORY;
        put32(out, UINT32_MAX);
        return WRITTEN;
    }
    int64_t start, end;
    const column *elements = c->elements;
    if (!read_span(c, row, &start, &end) || start < c->base || end - c->base > elements->rows) return BROKEN;
    if (end - start > INT32_MAX / 4) return REFUSED;
    if (!reserve(out, 24)) return NO_MEMORY;
    size_t head = out->size;
    out->size += 4;
    put32(out, end > start);
    put32(out, elements->wire == W_NULL || elements->validity.bytes != NULL);
    put32(out, c->element_oid);
    if (end > start) {
        put32(out, (uint32_t)(end - start));
        put32(out, 1);
    }
    for (int64_t i = start - c->base; i < end - c->base; i++) {
        enum outcome outcome = put_scalar(out, elements, i);
        if (outcome != WRITTEN) return outcome;
    }
    size_t size = out->size - head - 4;
    if (size > INT32_MAX) return REFUSED;
    set32(out->bytes + head, (uint32_t)size);
    return WRITTEN;
}

/* whether a text has a zero byte is asked once for all of them, where they lie one after the other */
static void look_for_nul(column *c) {
    int64_t first, last, unused;
    if (c->wire == W_ARRAY) look_for_nul(c->elements);
    c->may_hold_nul = c->wire == W_TEXT || c->wire == W_JSONB;
    if (!c->may_hold_nul || c->rows == 0) return;
    if (!read_span(c, 0, &first, &unused) || !read_span(c, c->rows - 1, &unused, &last)) return;
    if (last < first || (uint64_t)last > c->data.size) return;
    c->may_hold_nul = last > first && memchr(c->data.bytes + first, 0, (size_t)(last - first)) != NULL;
}

/* -- all rows --------------------------------------------------------------------------------------------------- */

#define MOST_ROWS (1 << 24) /* at once; columns without buffers would have as many as they say */

/* whole rows are added to out, `*row` of them; the value that ended it, if any, is in `*field` of the next one */
static enum outcome put_rows(block *out, column *columns, int count, int64_t rows, int64_t *row, int *field) {
    *row = *field = 0;
    if (count < 1 || count > INT16_MAX || rows < 0 || rows > MOST_ROWS) return BROKEN;
    for (int i = 0; i < count; i++)
        if (columns[i].rows != rows || !is_sound(&columns[i])) return BROKEN;
    for (int i = 0; i < count; i++) look_for_nul(&columns[i]);
    for (*row = 0; *row < rows; ++*row) {
        size_t before = out->size;
        if (!reserve(out, 2)) return NO_MEMORY;
        put16(out, (uint32_t)count);
        for (*field = 0; *field < count; ++*field) {
            const column *c = &columns[*field];
            enum outcome outcome = c->wire == W_ARRAY ? put_array(out, c, *row) : put_scalar(out, c, *row);
            if (outcome == WRITTEN) continue;
            out->size = before;
            return outcome;
        }
    }
    return WRITTEN;
}

#endif
