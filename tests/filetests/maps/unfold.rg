; test roundtrip
; test eval
; test canonical
; test plan target=x86-64-v4
; test check

graph unfold {
  %x = input : f32[2, 9]
  %p = pad %x { axis = -1, low = 2, high = 1, value = 0.5 }
  %u = unfold %p { axis = -1, size = 3, stride = 2, dilation = 2 }
  %y = reduce %u { op = max, axis = -1 }
  return %y
}

; expect roundtrip
;   graph unfold {
;     %x = input : f32[2, 9]
;     %p = pad %x { axis = -1, low = 2, high = 1, value = 0.5 } : f32[2, 12]
;     %u = unfold %p { axis = -1, size = 3, stride = 2, dilation = 2 } : f32[2, 4, 3]
;     %y = reduce %u { op = max, axis = -1 } : f32[2, 4, 1]
;     return %y
;   }

; expect eval
;   24 flops
;   %y : f32[2, 4, 1] = 0.89062 0.89062 0.89062 0.53125 0.50000 0.10938 … norm 2.13692

; expect canonical
;   graph unfold {
;     %x = input : f32[2, 9]
;     %u = view %x { map = "[2, 4, 3] of 18: (-2 + 2*i1 + 2*i2) in 9 * 1 + 9*i0 else 0.5" } : f32[2, 4, 3]
;     %y = reduce %u { op = max, axis = -1 } : f32[2, 4, 1]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan unfold {
;     %y = row [8, 1] reading %x
;   }

; expect check
;   %y within 1e-5 of the reference
