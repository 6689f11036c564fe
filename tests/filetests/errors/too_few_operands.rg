; test error

graph g {
  %q = input : f32[2, 3]
  %y = attention %q, %q { scale = 1 }
  return %y
}

; expect error
;   error: attention has 2 operands
;    --> errors/too_few_operands.rg:5:8
;     |
;   5 |   %y = attention %q, %q { scale = 1 }
;     |        ^^^^^^^^^^^^^^^^ expected 3 to 4
