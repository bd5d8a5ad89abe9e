/* Columns out of a PGresult, in Arrow's layout; knows neither Python nor how libpq was found.

What is read here is a strict subset of what PostgreSQL writes: a value outside of it makes its column *refuse* the
chunk, which is then kept as it came, for the decoder in Python to decide. So nothing is ever guessed, and whatever is
accepted has one meaning only. A server is not trusted: lengths are the only bounds there are (no value is assumed to
end in a zero byte), and a result that contradicts itself is BROKEN.

A header, so that a fuzzer compiles exactly this with a table of its own in libpq's place. */

#ifndef TUSK_COLUMNS_H
#define TUSK_COLUMNS_H

#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "_memory.h"

#if defined(_MSC_VER)
#define ALWAYS_INLINE __forceinline
#else
#define ALWAYS_INLINE inline __attribute__((always_inline))
#endif

/* libpq's functions of the same names */
typedef struct {
    int (*ntuples)(const void *);
    int (*nfields)(const void *);
    char *(*getvalue)(const void *, int, int);
    int (*getlength)(const void *, int, int);
    int (*getisnull)(const void *, int, int);
} accessors;

/* the order is native.py's */
enum kind {
    TEXT, INT64, FLOAT32, FLOAT64, BOOL, BYTEA, DATE32, TIMESTAMP, TIMESTAMPTZ, RAW,
    BINARY_INT16, BINARY_INT32, BINARY_INT64, BINARY_OID, BINARY_FLOAT32, BINARY_FLOAT64, BINARY_BOOL,
    BINARY_DATE32, BINARY_TIMESTAMP, BINARY_TIMESTAMPTZ, BINARY_UUID, SCALED, KINDS
};

enum outcome { STORED, REFUSED, BROKEN, NO_MEMORY };

/* values: numbers, a bitmap of booleans, or the ends of what lies in data (the first is 0);
   validity: a bitmap, there since the first NULL */
typedef struct {
    enum kind kind;
    int scale; /* of SCALED: how many digits stand after the point */
    int64_t rows, nulls;
    block validity, values, data;
} column;

typedef struct {
    const accessors *libpq;
    const void *result;
} source;

/* -- memory --------------------------------------------------------------------------------------------------------- */

static void clear(column *c) {
    release(&c->validity);
    release(&c->values);
    release(&c->data);
    c->rows = c->nulls = 0;
}

static inline bool has_data(enum kind kind) {
    return kind == TEXT || kind == BYTEA || kind == RAW || kind == BINARY_UUID;
}

static size_t size_of_values(enum kind kind, int64_t rows) {
    size_t n = (size_t)rows;
    if (has_data(kind)) return (n + 1) * 8;
    switch (kind) {
    case BOOL: case BINARY_BOOL: return (n + 7) / 8;
    case FLOAT32: case DATE32: case BINARY_FLOAT32: case BINARY_DATE32: return n * 4;
    default: return n * 8;
    }
}

static size_t size_of(const column *c) {
    return size_of_values(c->kind, c->rows) + c->data.size + (c->nulls ? ((size_t)c->rows + 7) / 8 : 0);
}

/* what follows writes up to that many rows without asking again */
static bool reserve_rows(column *c, int more) {
    if ((uint64_t)c->rows + (uint64_t)more > SIZE_MAX / 32) return false;
    int64_t rows = c->rows + more;
    if (c->validity.bytes && !reserve(&c->validity, ((size_t)rows + 7) / 8)) return false;
    bool is_first = c->values.bytes == NULL;
    if (!reserve(&c->values, size_of_values(c->kind, rows))) return false;
    if (is_first && has_data(c->kind)) memset(c->values.bytes, 0, 8);
    return true;
}

/* takes back all rows but the first ones: what a refused chunk had stored already */
static void truncate_to(column *c, int64_t rows, int64_t nulls, size_t data_size) {
    c->rows = rows;
    c->nulls = nulls;
    c->data.size = data_size;
}

/* -- bits ------------------------------------------------------------------------------------------------------- */

static ALWAYS_INLINE void put_bit(byte *bits, int64_t index, bool is_set) {
    byte *at = bits + index / 8;
    unsigned before = index % 8 ? *at & ((1u << (index % 8)) - 1) : 0;
    *at = (byte)(before | (unsigned)is_set << (index % 8));
}

/* the validity of the rows so far, all of them there, and room for as many as values has */
static bool begin_validity(column *c, int more) {
    size_t filled = ((size_t)c->rows + 7) / 8;
    if (!reserve(&c->validity, ((size_t)c->rows + (size_t)more + 7) / 8)) return false;
    memset(c->validity.bytes, 0xff, filled);
    return true;
}

/* -- one value -------------------------------------------------------------------------------------------------- */

enum cell { VALUE, IS_NULL, NO_CELL };

static ALWAYS_INLINE enum cell read_cell(const source *in, int row, int field, const byte **text, int *length) {
    *length = in->libpq->getlength(in->result, row, field);
    if (*length > 0) {
        *text = (const byte *)in->libpq->getvalue(in->result, row, field);
        return *text ? VALUE : NO_CELL;
    }
    *text = (const byte *)"";
    if (*length < 0) return NO_CELL;
    return in->libpq->getisnull(in->result, row, field) ? IS_NULL : VALUE;
}

static ALWAYS_INLINE unsigned digit(byte character) { return (unsigned)character - '0'; }

static ALWAYS_INLINE bool read_int64(const byte *text, int length, byte *value) {
    bool is_negative = length > 0 && text[0] == '-';
    int at = is_negative;
    if (length - at < 1 || length - at > 19) return false;
    uint64_t number = 0; /* 19 digits fit */
    for (; at < length; at++) {
        if (digit(text[at]) > 9) return false;
        number = number * 10 + digit(text[at]);
    }
    if (number > (uint64_t)INT64_MAX + is_negative) return false;
    number = is_negative ? 0 - number : number;
    memcpy(value, &number, 8);
    return true;
}

#define MOST_DIGITS 18 /* as many as Arrow's decimals of 64 bits have */

/* a numeric with exactly `scale` digits after the point, written as PostgreSQL writes it → the number without its point;
   what is stored can be written in one way only, so that nothing of the text is lost */
static ALWAYS_INLINE bool read_scaled(const byte *text, int length, int scale, byte *value) {
    bool is_negative = length > 0 && text[0] == '-';
    int whole = length - is_negative - (scale ? scale + 1 : 0);
    if (whole < 1 || whole + scale > MOST_DIGITS) return false;
    const byte *at = text + is_negative, *point = at + whole, *end = text + length;
    if (at[0] == '0' && whole > 1) return false;
    uint64_t number = 0;
    for (; at < point; at++) {
        if (digit(*at) > 9) return false;
        number = number * 10 + digit(*at);
    }
    if (scale && *at++ != '.') return false;
    for (; at < end; at++) {
        if (digit(*at) > 9) return false;
        number = number * 10 + digit(*at);
    }
    if (is_negative && number == 0) return false;
    number = is_negative ? 0 - number : number;
    memcpy(value, &number, 8);
    return true;
}

static ALWAYS_INLINE bool put_float64(byte *value, bool is_negative, uint64_t bits) {
    bits |= (uint64_t)is_negative << 63;
    memcpy(value, &bits, 8);
    return true;
}

static ALWAYS_INLINE bool put_float32(byte *value, bool is_negative, uint32_t bits) {
    bits |= (uint32_t)is_negative << 31;
    memcpy(value, &bits, 4);
    return true;
}

/* A decimal number as digits × 10^power, at most 19 digits of it. */
typedef struct {
    bool is_negative;
    uint64_t digits;
    int power;
} decimal;

static ALWAYS_INLINE bool read_decimal(const byte *text, int length, decimal *number) {
    if (length > 64) return false; /* so that no exponent overflows; PostgreSQL writes 24 at most */
    const byte *at = text, *end = text + length;
    number->is_negative = at < end && *at == '-';
    at += number->is_negative;
    uint64_t digits = 0;
    int count = 0, power = 0;
    bool is_fraction = false;
    const byte *run = at;
    for (;; at++) {
        if (at < end && digit(*at) <= 9) {
            digits = digits * 10 + digit(*at);
            count += count > 0 || digits != 0;
            power -= is_fraction;
            if (count > 19) return false;
        } else {
            if (at == run) return false; /* no digit before the point, or none after it */
            if (is_fraction || at == end || *at != '.') break;
            is_fraction = true;
            run = at + 1;
        }
    }
    if (at < end) {
        if (*at != 'e' || end - at < 3 || end - at > 5 || (at[1] != '-' && at[1] != '+')) return false;
        bool is_down = at[1] == '-';
        int exponent = 0;
        for (at += 2; at < end; at++) {
            if (digit(*at) > 9) return false;
            exponent = exponent * 10 + (int)digit(*at);
        }
        power += is_down ? -exponent : exponent;
    }
    number->digits = digits;
    number->power = power;
    return true;
}

#if defined(__SIZEOF_INT128__)
#define HAS_WIDE 1
typedef unsigned __int128 wide;
#else
#define HAS_WIDE 0
#endif

#define WIDE_POWER 27 /* 5^27 is the last power of five below 2^63 */

/* digits × 10^power, correctly rounded to `precision` bits: mantissa × 2^exponent with the mantissa's top bit set (or
   one bit more, when rounding carried). In integers: the product by a power of five is exact, a quotient by one needs
   64 bits and whether a remainder is left. */
static ALWAYS_INLINE bool rounded(const decimal *number, int precision, uint64_t *mantissa, int *exponent) {
#if HAS_WIDE
    static const uint64_t FIVES[WIDE_POWER + 1] = {
        1u, 5u, 25u, 125u, 625u, 3125u, 15625u, 78125u, 390625u, 1953125u, 9765625u, 48828125u, 244140625u,
        1220703125u, 6103515625u, 30517578125u, 152587890625u, 762939453125u, 3814697265625u, 19073486328125u,
        95367431640625u, 476837158203125u, 2384185791015625u, 11920928955078125u, 59604644775390625u,
        298023223876953125u, 1490116119384765625u, 7450580596923828125u};
    int power = number->power;
    if (number->digits == 0 || power < -WIDE_POWER || power > WIDE_POWER) return false;
    int shift = __builtin_clzll(number->digits);
    uint64_t digits = number->digits << shift, top;
    int scale = power - shift;
    bool is_inexact;
    if (power >= 0) {
        wide product = (wide)digits * FIVES[power];
        top = (uint64_t)(product >> 64);
        /* the product has its top bit in the upper half, unless it is by 1 */
        int up = top ? __builtin_clzll(top) : 64;
        product = up < 64 ? product << up : product << 63 << 1;
        top = (uint64_t)(product >> 64);
        is_inexact = (uint64_t)product != 0;
        scale += 64 - up;
    } else {
        uint64_t divisor = FIVES[-power];
        int up = __builtin_clzll(divisor);
        divisor <<= up;
        int by = digits < divisor ? 64 : 63;
        wide dividend = (wide)digits << by;
        top = (uint64_t)(dividend / divisor);
        is_inexact = (uint64_t)dividend != top * divisor; /* modulo 2^64, where the remainder fits */
        scale += up - by;
    }
    int dropped = 64 - precision;
    uint64_t rest = top << precision, half = (uint64_t)1 << 63;
    *mantissa = top >> dropped;
    *mantissa += rest > half || (rest == half && (is_inexact || (*mantissa & 1)));
    *exponent = scale + dropped;
    return true;
#else
    (void)number, (void)precision, (void)mantissa, (void)exponent;
    return false;
#endif
}

static ALWAYS_INLINE bool read_special(const byte *text, int length, bool *is_negative, bool *is_nan) {
    *is_negative = length == 9 && text[0] == '-';
    *is_nan = length == 3 && memcmp(text, "NaN", 3) == 0;
    return *is_nan || (length == 8 && memcmp(text, "Infinity", 8) == 0) ||
           (*is_negative && memcmp(text + 1, "Infinity", 8) == 0);
}

static ALWAYS_INLINE bool read_float64(const byte *text, int length, byte *value) {
    static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    decimal number;
    bool is_negative, is_nan;
    if (!read_decimal(text, length, &number)) {
        if (!read_special(text, length, &is_negative, &is_nan)) return false;
        return put_float64(value, is_negative, is_nan ? UINT64_C(0x7ff8) << 48 : UINT64_C(0x7ff0) << 48);
    }
    if (number.digits == 0) return put_float64(value, number.is_negative, 0);
#if FLT_EVAL_METHOD == 0
    /* both operands are exact, so one operation rounds once */
    if (number.digits <= UINT64_C(1) << 53 && number.power >= -22 && number.power <= 22) {
        double exact = (double)number.digits;
        exact = number.power < 0 ? exact / TENS[-number.power] : exact * TENS[number.power];
        if (number.is_negative) exact = -exact;
        memcpy(value, &exact, 8);
        return true;
    }
#endif
    uint64_t mantissa;
    int exponent;
    if (!rounded(&number, 53, &mantissa, &exponent)) return false;
    /* neither end of the exponents is in reach of 20 digits and 27 powers of ten */
    uint64_t bits = ((uint64_t)(exponent + 1075) << 52) + (mantissa - (UINT64_C(1) << 52));
    return put_float64(value, number.is_negative, bits);
}

static ALWAYS_INLINE bool read_float32(const byte *text, int length, byte *value) {
    decimal number;
    bool is_negative, is_nan;
    if (!read_decimal(text, length, &number)) {
        if (!read_special(text, length, &is_negative, &is_nan)) return false;
        return put_float32(value, is_negative, is_nan ? 0x7fc00000u : 0x7f800000u);
    }
    if (number.digits == 0) return put_float32(value, number.is_negative, 0);
    uint64_t mantissa;
    int exponent;
    if (!rounded(&number, 24, &mantissa, &exponent)) return false;
    int biased = exponent + 150;
    if (biased < 1 || biased > 254) return false;
    uint32_t bits = ((uint32_t)biased << 23) + (uint32_t)(mantissa - (1u << 23));
    return bits < 0x7f800000u && put_float32(value, number.is_negative, bits);
}

static ALWAYS_INLINE bool read_bool(const byte *text, int length, bool *value) {
    *value = length == 1 && text[0] == 't';
    return *value || (length == 1 && text[0] == 'f');
}

/* -- dates and times, ISO only ---------------------------------------------------------------------------------- */

static ALWAYS_INLINE bool two_digits(const byte *text, int most, int *value) {
    if (digit(text[0]) > 9 || digit(text[1]) > 9) return false;
    *value = (int)(digit(text[0]) * 10 + digit(text[1]));
    return *value <= most;
}

/* YYYY-MM-DD, ten bytes, the years 1 to 9999 → days since 1970 */
static ALWAYS_INLINE bool read_days(const byte *text, int *days) {
    static const short BEFORE[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int century, year, month, day;
    if (!two_digits(text, 99, &century) || !two_digits(text + 2, 99, &year) || text[4] != '-' ||
        !two_digits(text + 5, 12, &month) || text[7] != '-' || !two_digits(text + 8, 31, &day))
        return false;
    year += century * 100;
    if (year == 0 || month == 0 || day == 0) return false;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > BEFORE[month] - BEFORE[month - 1] + (is_leap && month == 2)) return false;
    int full = year - 1;
    *days = full * 365 + full / 4 - full / 100 + full / 400 - 719162 + BEFORE[month - 1] + (is_leap && month > 2) + day - 1;
    return true;
}

static ALWAYS_INLINE bool read_date32(const byte *text, int length, byte *value) {
    int days;
    if (length != 10 || !read_days(text, &days)) return false;
    int32_t stored = days;
    memcpy(value, &stored, 4);
    return true;
}

/* «YYYY-MM-DD HH:MM:SS» and up to six digits of a fraction → microseconds since 1970; *used is where it ends */
static ALWAYS_INLINE bool read_moment(const byte *text, int length, int64_t *moment, int *used) {
    int days, hours, minutes, seconds;
    if (length < 19 || !read_days(text, &days) || text[10] != ' ' || !two_digits(text + 11, 23, &hours) ||
        text[13] != ':' || !two_digits(text + 14, 59, &minutes) || text[16] != ':' ||
        !two_digits(text + 17, 59, &seconds))
        return false;
    int at = 19;
    int64_t fraction = 0;
    if (at < length && text[at] == '.') {
        int64_t unit = 1000000;
        for (at++; at < length && digit(text[at]) <= 9; at++) {
            if (unit == 1) return false;
            unit /= 10;
            fraction += digit(text[at]) * unit;
        }
        if (at == 20) return false;
    }
    *moment = (((int64_t)days * 24 + hours) * 60 + minutes) * 60 + seconds;
    *moment = *moment * 1000000 + fraction;
    *used = at;
    return true;
}

static ALWAYS_INLINE bool read_timestamp(const byte *text, int length, byte *value) {
    int64_t moment;
    int used;
    if (!read_moment(text, length, &moment, &used) || used != length) return false;
    memcpy(value, &moment, 8);
    return true;
}

/* decode.py's, which says why */
#define ZONED_MIN INT64_C(-62135510400000000)
#define ZONED_MAX INT64_C(253402128000000000)

static ALWAYS_INLINE bool read_timestamptz(const byte *text, int length, byte *value) {
    int64_t moment;
    int used, hours, minutes = 0;
    if (!read_moment(text, length, &moment, &used)) return false;
    const byte *zone = text + used;
    int rest = length - used;
    if ((rest != 3 && rest != 6) || (zone[0] != '+' && zone[0] != '-') || !two_digits(zone + 1, 15, &hours)) return false;
    if (rest == 6 && (zone[3] != ':' || !two_digits(zone + 4, 59, &minutes))) return false;
    int64_t offset = (int64_t)(hours * 60 + minutes) * 60000000;
    moment += zone[0] == '-' ? offset : -offset;
    if (moment < ZONED_MIN || moment > ZONED_MAX) return false;
    memcpy(value, &moment, 8);
    return true;
}

/* -- text and bytes --------------------------------------------------------------------------------------------- */

static ALWAYS_INLINE bool is_ascii(const byte *text, size_t length) {
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t word, seen = 0;
    if (length < 8) {
        byte some = 0;
        for (size_t i = 0; i < length; i++) some |= text[i];
        return some < 0x80;
    }
    for (size_t i = 0; i + 8 <= length; i += 8) {
        memcpy(&word, text + i, 8);
        seen |= word;
    }
    memcpy(&word, text + length - 8, 8);
    return ((seen | word) & high) == 0;
}

/* table 3-7 of the Unicode standard: no surrogates, nothing longer than it must be, nothing beyond U+10FFFF */
static bool is_utf8(const byte *text, size_t length) {
    size_t at = 0;
    while (at < length) {
        byte lead = text[at++], low = 0x80, high = 0xbf;
        if (lead < 0x80) continue;
        if (lead < 0xc2 || lead > 0xf4) return false;
        size_t more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if (lead == 0xe0) low = 0xa0;
        if (lead == 0xed) high = 0x9f;
        if (lead == 0xf0) low = 0x90;
        if (lead == 0xf4) high = 0x8f;
        if (length - at < more || text[at] < low || text[at] > high) return false;
        for (size_t i = 1; i < more; i++)
            if ((text[at + i] & 0xc0) != 0x80) return false;
        at += more;
    }
    return true;
}

static bool read_hex(const byte *text, size_t length, byte *value) {
    static const byte NIBBLES[256] = {
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
        ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16};
    for (size_t i = 0; i < length / 2; i++) {
        unsigned first = NIBBLES[text[2 * i]], second = NIBBLES[text[2 * i + 1]];
        if (first == 0 || second == 0) return false;
        value[i] = (byte)((first - 1) << 4 | (second - 1));
    }
    return true;
}

/* appends one value's bytes to data, which has room for them */
static ALWAYS_INLINE bool put_data(column *c, const byte *text, size_t length) {
    byte *end = c->data.bytes + c->data.size;
    if (c->kind == BYTEA) {
        if (length < 2 || length % 2 || text[0] != '\\' || text[1] != 'x') return false;
        if (!read_hex(text + 2, length - 2, end)) return false;
        c->data.size += length / 2 - 1;
        return true;
    }
    if (c->kind == TEXT && !is_ascii(text, length) && !is_utf8(text, length)) return false;
    memcpy(end, text, length);
    c->data.size += length;
    return true;
}

/* -- columns ---------------------------------------------------------------------------------------------------- */

typedef bool reader(const byte *text, int length, byte *value);

/* the rows [first, last) of a field, whose room is reserved; `more` is how many rows of the chunk are still to come */
#define FOR_EACH_CELL(on_null)                                           \
    for (int row = first; row < last; row++) {                           \
        const byte *text;                                                \
        int length;                                                      \
        enum cell cell = read_cell(in, row, field, &text, &length);      \
        if (cell == NO_CELL) return BROKEN;                              \
        if (cell == IS_NULL) {                                           \
            if (c->validity.bytes == NULL && !begin_validity(c, more)) return NO_MEMORY; \
            on_null;                                                     \
            put_bit(c->validity.bytes, c->rows++, false);                \
            c->nulls++;                                                  \
            continue;                                                    \
        }

#define END_CELL                                                         \
        if (c->validity.bytes) put_bit(c->validity.bytes, c->rows, true); \
        c->rows++;                                                       \
    }                                                                    \
    return STORED;

static ALWAYS_INLINE enum outcome store_fixed(const source *in, column *c, int field, int first, int last, int more,
                                              int width, reader *read) {
    FOR_EACH_CELL(memset(c->values.bytes + c->rows * width, 0, (size_t)width))
    if (!read(text, length, c->values.bytes + c->rows * width)) return REFUSED;
    END_CELL
}

static enum outcome store_scaled(const source *in, column *c, int field, int first, int last, int more) {
    FOR_EACH_CELL(memset(c->values.bytes + c->rows * 8, 0, 8))
    if (!read_scaled(text, length, c->scale, c->values.bytes + c->rows * 8)) return REFUSED;
    END_CELL
}

static enum outcome store_bools(const source *in, column *c, int field, int first, int last, int more) {
    FOR_EACH_CELL(put_bit(c->values.bytes, c->rows, false))
    bool value;
    if (!read_bool(text, length, &value)) return REFUSED;
    put_bit(c->values.bytes, c->rows, value);
    END_CELL
}

static ALWAYS_INLINE void put_end(column *c) {
    int64_t end = (int64_t)c->data.size;
    memcpy(c->values.bytes + (c->rows + 1) * 8, &end, 8);
}

static enum outcome store_data(const source *in, column *c, int field, int first, int last, int more) {
    FOR_EACH_CELL(put_end(c))
    if ((size_t)length > SIZE_MAX / 2 - c->data.size || !reserve(&c->data, c->data.size + (size_t)length + 1))
        return NO_MEMORY;
    if (!put_data(c, text, (size_t)length)) return REFUSED;
    put_end(c);
    END_CELL
}

#include "_binary.h"

static enum outcome store(const source *in, column *c, int field, int first, int last, int more) {
    switch (c->kind) {
    case INT64: return store_fixed(in, c, field, first, last, more, 8, read_int64);
    case FLOAT32: return store_fixed(in, c, field, first, last, more, 4, read_float32);
    case FLOAT64: return store_fixed(in, c, field, first, last, more, 8, read_float64);
    case DATE32: return store_fixed(in, c, field, first, last, more, 4, read_date32);
    case TIMESTAMP: return store_fixed(in, c, field, first, last, more, 8, read_timestamp);
    case TIMESTAMPTZ: return store_fixed(in, c, field, first, last, more, 8, read_timestamptz);
    case SCALED: return store_scaled(in, c, field, first, last, more);
    case BOOL: return store_bools(in, c, field, first, last, more);
    case TEXT: case BYTEA: case RAW: return store_data(in, c, field, first, last, more);
    default: return store_binary(in, c, field, first, last, more);
    }
}

/* libpq keeps a row's values together: so many rows of every column at a time stay in the processor's cache */
#define ROWS_AT_A_TIME 256

/* A column, what its rows were before the chunk, and the chunk as it came if it was refused. */
typedef struct {
    column kept, aside;
    int64_t rows, nulls;
    size_t data_size;
    bool is_refused;
} field;

static void undo(field *f) { truncate_to(&f->kept, f->rows, f->nulls, f->data_size); }

static enum outcome store_rows(const source *in, field *fields, int count, int rows) {
    for (int first = 0; first < rows;) {
        int last = rows - first > ROWS_AT_A_TIME ? first + ROWS_AT_A_TIME : rows;
        for (int i = 0; i < count; i++) {
            if (fields[i].is_refused) continue;
            enum outcome outcome = store(in, &fields[i].kept, i, first, last, rows - first);
            if (outcome == REFUSED) {
                fields[i].is_refused = true;
                undo(&fields[i]);
            } else if (outcome != STORED) {
                return outcome;
            }
        }
        first = last;
    }
    return STORED;
}

static enum outcome store_aside(const source *in, field *f, int index, int rows) {
    f->aside.kind = RAW;
    if (!reserve_rows(&f->aside, rows)) return NO_MEMORY;
    return store(in, &f->aside, index, 0, rows, rows);
}

/* Appends the first rows of a result to its columns. A refused chunk of a column is in `aside`, and not in `kept`.
   After BROKEN or NO_MEMORY the columns are as they were. */
static enum outcome append(const source *in, field *fields, int count, int rows) {
    enum outcome outcome = STORED;
    if (rows < 0 || rows > in->libpq->ntuples(in->result) || count != in->libpq->nfields(in->result)) return BROKEN;
    for (int i = 0; i < count; i++) {
        field *f = &fields[i];
        f->rows = f->kept.rows;
        f->nulls = f->kept.nulls;
        f->data_size = f->kept.data.size;
        f->is_refused = false;
        if (!reserve_rows(&f->kept, rows)) outcome = NO_MEMORY;
    }
    if (outcome == STORED) outcome = store_rows(in, fields, count, rows);
    for (int i = 0; i < count && outcome == STORED; i++)
        if (fields[i].is_refused) outcome = store_aside(in, &fields[i], i, rows);
    if (outcome == STORED) return STORED;
    for (int i = 0; i < count; i++) {
        undo(&fields[i]);
        clear(&fields[i].aside);
        fields[i].is_refused = false;
    }
    return outcome;
}

/* makes the blocks exactly as large as what is in them; a validity without NULLs is none */
static void finish(column *c) {
    c->values.size = size_of_values(c->kind, c->rows);
    c->validity.size = c->nulls ? ((size_t)c->rows + 7) / 8 : 0;
    if (c->nulls == 0) release(&c->validity);
    shrink(&c->validity);
    shrink(&c->values);
    shrink(&c->data);
}

#endif
