; test error

graph g {
  %x = input : f32[4, 8]
  %y = unfold %x { axis = -1, size = 4, stride = 1, dilation = 3 }
  return %y
}

; expect error
;   error: unfold of f32[4, 8] takes pieces of 4 by 1 with dilation 3 on axis -1
;    --> errors/unfold_size.rg:5:8
;     |
;   5 |   %y = unfold %x { axis = -1, size = 4, stride = 1, dilation = 3 }
;     |        ^^^^^^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |      |
;     |        |      this is f32[4, 8]
;     |        expected sizes of 1 or more that fit 8 elements
