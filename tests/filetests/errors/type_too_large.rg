; test error

graph g {
  %x = input : f32[2000000, 2000000]
  return %x
}

; expect error
;   error: a type of more than 2^40 elements
;    --> errors/type_too_large.rg:4:16
;     |
;   4 |   %x = input : f32[2000000, 2000000]
;     |                ^^^^^^^^^^^^^^^^^^^^^
