; test eval
; test canonical
; test plan target=x86-64-v4
; test check

graph right_transposed {
  %a = input : f32[2, 5, 7]
  %b = input : f32[2, 9, 7]
  %t = transpose %b { order = [-1, -2] }
  %y = matmul %a, %t
  return %y
}

; expect eval
;   1260 flops
;   %y : f32[2, 5, 9] = 0.91382 -1.30640 1.05591 -0.27466 -0.44800 0.60156 … norm 9.80755

; expect canonical
;   graph right_transposed {
;     %a = input : f32[2, 5, 7]
;     %b = input : f32[2, 9, 7]
;     %t = view %b { map = "[2, 7, 9] of 126: 63*i0 + 7*i2 + i1" } : f32[2, 7, 9]
;     %y = matmul %a, %t : f32[2, 5, 9]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan right_transposed {
;     %y = matmul [2, 5, 7] by [7, 9] reading %a, %b
;   }

; expect check
;   %y within 1e-5 of the reference
