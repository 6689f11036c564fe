; test roundtrip
; test eval
; test canonical
; test plan target=x86-64-v4
; test check

// Without the mean; a composite that says nothing but its definition.
graph norms {
  %x = input : f32[3, 10]
  %gamma = weight : f32[10]
  %y = rms_norm %x, %gamma { eps = 1e-6 }
  %square = mul %x, %x
  %mean = reduce %square { op = mean, axis = -1 }
  %positive = add %mean, 1e-6
  %root = sqrt %positive
  %normal = div %x, %root
  %z = mul %normal, %gamma
  return %y, %z
}

; expect roundtrip
;   graph norms {
;     %x = input : f32[3, 10]
;     %gamma = weight : f32[10]
;     %y = rms_norm %x, %gamma { eps = 1e-6 } : f32[3, 10]
;     %square = mul %x, %x : f32[3, 10]
;     %mean = reduce %square { op = mean, axis = -1 } : f32[3, 1]
;     %5 = const { value = 1e-6 } : f32[]
;     %positive = add %mean, %5 : f32[3, 1]
;     %root = sqrt %positive : f32[3, 1]
;     %normal = div %x, %root : f32[3, 10]
;     %z = mul %normal, %gamma : f32[3, 10]
;     return %y, %z
;   }

; expect eval
;   252 flops
;   %y : f32[3, 10] = 0.02006 -0.05016 1.80128 0.46349 0.45145 -0.50161 … norm 3.22759
;   %z : f32[3, 10] = 0.02006 -0.05016 1.80128 0.46349 0.45145 -0.50161 … norm 3.22759

; expect canonical
;   graph norms {
;     %x = input : f32[3, 10]
;     %gamma = weight : f32[10]
;     %square = mul %x, %x : f32[3, 10]
;     %mean = reduce %square { op = mean, axis = -1 } : f32[3, 1]
;     %4 = view %mean { map = "[3, 10] of 3: i0" } : f32[3, 10]
;     %5 = const { value = 1e-6 } : f32[3, 10]
;     %6 = add %4, %5 : f32[3, 10]
;     %7 = rsqrt %6 : f32[3, 10]
;     %8 = mul %x, %7 : f32[3, 10]
;     %9 = view %gamma { map = "[3, 10] of 10: i1" } : f32[3, 10]
;     %y = mul %8, %9 : f32[3, 10]
;     %11 = sqrt %6 : f32[3, 10]
;     %normal = div %x, %11 : f32[3, 10]
;     %z = mul %normal, %9 : f32[3, 10]
;     return %y, %z
;   }

; expect plan target=x86-64-v4
;   plan norms {
;     %6 = row [3, 10] reading %x
;     %y = row [1, 30] reading %x, %6, %gamma
;     %z = row [1, 30] reading %x, %6, %gamma
;   }

; expect check
;   %y, %z within 1e-5 of the reference
