; test error

graph g {
  %x = input : f32[2]
  %"y = neg %x
  return %x
}

; expect error
;   error: this string does not end on its line
;    --> errors/open_string.rg:5:4
;     |
;   5 |   %"y = neg %x
;     |    ^^^^^^^^^^^ expected `"`
