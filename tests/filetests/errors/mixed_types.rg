; test error

graph g {
  %x = input : f32[4]
  %i = input : i32[4]
  %y = add %x, %i
  return %y
}

; expect error
;   error: add has f32[4] and i32[4]
;    --> errors/mixed_types.rg:6:8
;     |
;   6 |   %y = add %x, %i
;     |        ^^^^--^^--
;     |        |   |   |
;     |        |   |   this is i32[4]
;     |        |   this is f32[4]
;     |        expected one element type
