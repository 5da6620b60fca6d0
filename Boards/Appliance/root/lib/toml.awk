# Reads rpi-preseed.toml (TOML with tables, strings, numbers, words and lists of them) and prints a line "table.key=value" for each value, several for a list.
# What it cannot read it prints as "error=line NUMBER: ...", and goes on with the next line.
{ sub(/\r$/, ""); text = text $0 "\n" }
END {
  if (substr(text, 1, 3) == "\357\273\277") text = substr(text, 4)
  line = 1
  place = 1
  while (place <= length(text)) {
    blanks(1)
    if (place > length(text)) break
    start = line
    if (char() == "[") table(); else pair()
    if (wrong != "") {
      print "error=line " start ": " wrong
      wrong = ""
      while (place <= length(text) && char() != "\n") place++
    }
  }
}
function char() { return substr(text, place, 1) }
# Goes over blanks and comments; over ends of lines too if `lines` is set.
function blanks(lines) {
  while (place <= length(text)) {
    if (char() == "#") while (place <= length(text) && char() != "\n") place++
    if (char() == "\n" && lines) line++
    else if (char() != " " && char() != "\t") return
    place++
  }
}
function word(pattern,   found) {
  if (match(substr(text, place), "^" pattern) == 0) return ""
  found = substr(text, place, RLENGTH)
  place += RLENGTH
  return found
}
function ended() {
  blanks(0)
  if (place <= length(text) && char() != "\n") wrong = "more than one value"
}
function table(   name) {
  name = word("\\[[A-Za-z0-9_. -]+\\]")
  if (name == "") { wrong = "[table] is expected"; return }
  current = substr(name, 2, length(name) - 2) "."
  gsub(/ /, "", current)
  ended()
}
function pair(   key, lists) {
  key = word("[A-Za-z0-9_-]+")
  blanks(0)
  if (key == "" || char() != "=") { wrong = "key = value is expected"; return }
  place++
  blanks(0)
  if (char() != "[") { value(current key); if (wrong == "") ended(); return }
  place++
  while (wrong == "") {
    blanks(1)
    if (char() == "]") { place++; ended(); return }
    value(current key)
    blanks(1)
    if (char() == ",") place++
    else if (char() != "]" && wrong == "") wrong = key ": a list without its end"
  }
}
function value(key,   quote, result, next_one) {
  quote = char()
  if (quote != "\"" && quote != "'") {
    result = word("[A-Za-z0-9_.:+-]+")
    if (result == "") wrong = key ": no value"; else print key "=" result
    return
  }
  if (substr(text, place, 3) == quote quote quote) { wrong = key ": text of several lines is not read"; return }
  result = ""
  for (place++; char() != quote; place++) {
    if (char() == "\n" || place > length(text)) { wrong = key ": a text without its end"; return }
    if (char() != "\\" || quote == "'") { result = result char(); continue }
    place++
    next_one = char()
    if (next_one == "u") { result = result letter(substr(text, place + 1, 4)); place += 4 }
    else if (next_one == "U") { result = result letter(substr(text, place + 1, 8)); place += 8 }
    else if (next_one == "\"" || next_one == "\\") result = result next_one
    else if (next_one == "t") result = result "\t"
    else { wrong = key ": a \\ before a character that has no such form"; return }
  }
  place++
  if (wrong == "") print key "=" result
}
# UTF-8 of a code point in hexadecimal digits.
function letter(digits,   code, n) {
  code = 0
  for (n = 1; n <= length(digits); n++) {
    next_digit = index("0123456789abcdef", tolower(substr(digits, n, 1))) - 1
    if (next_digit < 0) { wrong = "\\u without its digits"; return "" }
    code = code * 16 + next_digit
  }
  if (code < 32) { wrong = "\\u of a control character"; return "" }
  if (code < 128) return sprintf("%c", code)
  if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
  if (code < 65536) return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
  return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, 128 + int(code / 64) % 64, 128 + code % 64)
}
