; test error

graph g {
  %x = input : f32[2, 3]
  %y = transpose %x { order = [9223372036854775807, -1] }
  return %y
}

; expect error
;   error: transpose of f32[2, 3]: order [9223372036854775807, -1] is not a permutation of -1 to -2
;    --> errors/transpose_order.rg:5:8
;     |
;   5 |   %y = transpose %x { order = [9223372036854775807, -1] }
;     |        ^^^^^^^^^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |                  |
;     |                  this is f32[2, 3]
