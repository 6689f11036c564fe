; test error

graph g {
  %x = input : f32[2, 3]
  return %x

; expect error
;   error: the text ends here
;    --> errors/missing_brace.rg:5:13
;     |
;   5 |   return %x
;     |            ^ expected `}`
