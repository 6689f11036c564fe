; test error

graph g {
  %x = input : i32[4]
  %y = pow %x, 2
  return %y
}

; expect error
;   error: operand of pow is i32[4]
;    --> errors/power_of_integers.rg:5:8
;     |
;   5 |   %y = pow %x, 2
;     |        ^^^^--^^-
;     |        |   |   |
;     |        |   |   this is i32[]
;     |        |   this is i32[4]
;     |        expected f32, bf16 or f16
